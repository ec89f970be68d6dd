//! `check`: everything that can be wrong before the first event, each on a line, with what to do.
//!
//! Cases: settings, spool (writable, room, how long a sync takes), credentials, PUT, HEAD and
//! conditional PUT of a probe object behind the quarantine prefix (never behind the loaded one; it
//! stays there), the clock beside the store's. Where the store wants a permission, the policy to
//! paste. It may run beside the program, which is then asked for what only it knows: whether
//! reading is stopped, and who is silent. Exit code 1 if any line is ✗.

pub mod policy;

use super::ask;
use crate::admin::status::WRONG_CLOCK;
use crate::base::disk::{Disk, OsDisk, write_all_at};
use crate::base::units::Size;
use crate::config::{Env, Settings, Typed};
use crate::daemon::options;
use crate::upload::Pace;
use crate::upload::destination::Destination;
use crate::upload::plan::Kind;
use crate::upload::probe::{self, Trial};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The file that tries the spool's folder.
const PROBE: &str = "check.probe";
/// A sync that takes longer makes `SYNC_INTERVAL` a wish.
const SLOW_SYNC: Duration = Duration::from_secs(1);
/// A store that does not answer is not waited for as long as by the uploads.
const PATIENCE: Duration = Duration::from_secs(20);

/// Exit code 0 if every line is ✓.
#[must_use]
pub fn run(typed: &Typed) -> ExitCode {
    let mut list = List::default();
    match Settings::for_check(typed, &Env::of_process()) {
        Err(problems) => list.bad("settings", &problems.to_string()),
        Ok((settings, warnings)) => {
            list.good("settings", "can be used");
            warnings.iter().for_each(|warning| list.note(&warning.to_string()));
            spool(&mut list, &settings);
            store(&mut list, &settings);
            program(&mut list, &settings);
        }
    }
    if list.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints the lines and remembers whether one was bad.
#[derive(Debug, Default)]
struct List {
    failed: bool,
}

impl List {
    fn good(&mut self, what: &str, text: &str) {
        println!("✓ {what:<16} {text}");
    }

    fn bad(&mut self, what: &str, text: &str) {
        self.failed = true;
        println!("✗ {what:<16} {text}");
    }

    fn note(&mut self, text: &str) {
        println!("  {:<16} {text}", "");
    }

    fn judge(&mut self, what: &str, found: Result<String, String>) {
        match found {
            Ok(text) => self.good(what, &text),
            Err(text) => self.bad(what, &text),
        }
    }
}

fn spool(list: &mut List, settings: &Settings) {
    let dir = &settings.spool.data_dir;
    list.judge("spool", sync_time(dir).map_err(|error| {
        format!("{}: {error}: DATA_DIR must be a folder on a local disk that this user may write to", dir.display())
    }).and_then(|took| judge_sync(dir, took)));
    list.judge("space", judge_room(settings));
}

/// How long it takes until a small file is durable.
fn sync_time(dir: &Path) -> io::Result<Duration> {
    let disk = OsDisk;
    disk.create_dir(dir)?;
    let path = dir.join(PROBE);
    let file = disk.create(&path)?;
    let tried = write_all_at(&*file, 0, &[0; 4096]).and_then(|()| {
        let start = Instant::now();
        file.sync().map(|()| start.elapsed())
    });
    disk.remove(&path)?;
    tried
}

fn judge_sync(dir: &Path, took: Duration) -> Result<String, String> {
    let took_ms = took.as_secs_f64() * 1000.0;
    let dir = dir.display();
    match took > SLOW_SYNC {
        true => Err(format!(
            "{dir}: a sync takes {took_ms:.0} ms: use a faster disk, not a network folder"
        )),
        false => Ok(format!("{dir} can be written; a sync takes {took_ms:.1} ms")),
    }
}

fn judge_room(settings: &Settings) -> Result<String, String> {
    let own = &settings.spool;
    let room = OsDisk.room(&own.data_dir).map_err(|error| format!("cannot be asked: {error}"))?;
    let (free, limit) = (Size(room.available).about(), Size(own.max_spool_size).about());
    let least = own.max_file_size * 2;
    if room.available < least {
        let least = Size(least).about();
        return Err(format!("{free} are free, and two files need {least}: make room"));
    }
    Ok(match room.available < own.max_spool_size {
        true => format!(
            "{free} are free, less than MAX_SPOOL_SIZE ({limit}): reading stops when the disk is full"
        ),
        false => format!("{free} are free, MAX_SPOOL_SIZE is {limit}"),
    })
}

fn store(list: &mut List, settings: &Settings) {
    let destination = match Destination::new(options::destination(settings)) {
        Ok(destination) => destination,
        Err(problem) => return list.bad("destination", &problem.to_string()),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return list.bad("destination", &format!("cannot start: {error}")),
    };
    let pace = Pace { cut_off: PATIENCE, ..Pace::default() };
    let trial = runtime.block_on(probe::trial(&destination, &pace));
    list.judge("credentials", credentials(&destination));
    requests(list, &trial);
    list.judge("clock", clock(&destination));
    if trial.denied && destination.kind() == Kind::S3 {
        list.note("The policy that the key needs (IAM, or the bucket's with a Principal):");
        println!("{:#}", policy::policy(settings));
    }
}

/// What the running program knows. None that runs is no fault: `check` comes before the first start.
fn program(list: &mut List, settings: &Settings) {
    if settings.admin.is_none() {
        return list.note("ADMIN_ADDR is off, so a running program is not asked");
    }
    match ask::status(settings) {
        Ok(status) => match status.troubles().as_slice() {
            [] => list.good("program", "it runs and takes events"),
            troubles => troubles.iter().for_each(|trouble| list.bad("program", trouble)),
        },
        Err(error) => list.note(&format!("the running program was not asked: {error:#}")),
    }
}

fn credentials(destination: &Destination) -> Result<String, String> {
    match (destination.kind(), destination.credentials()) {
        (Kind::S3, Some(origin)) => Ok(format!("from {origin}")),
        (Kind::S3, None) => Err("none of the places has any: see the next line".into()),
        (Kind::Folder, _) => Ok("a folder needs none".into()),
        (Kind::Gcs | Kind::Azure, _) => Ok("of the provider's own chain".into()),
    }
}

fn requests(list: &mut List, trial: &Trial) {
    let words = |error: &crate::upload::put::PutError| error.to_string();
    list.judge(
        "put",
        trial.put.as_ref().map(|()| "the probe object was stored".into()).map_err(words),
    );
    list.judge("head", match &trial.head {
        Ok(true) => Ok("the probe object shows its metadata".into()),
        Ok(false) if trial.put.is_err() => Err("not to be judged, because nothing was stored".into()),
        Ok(false) => Err("the probe object is not there or has lost its metadata: does a proxy or gateway drop x-amz-meta-* headers?".into()),
        Err(error) => Err(words(error)),
    });
    list.judge("conditional put", match &trial.conditional {
        Ok(true) => Ok("a taken name is refused (If-None-Match)".into()),
        Ok(false) => Err("a taken name was not refused: the store does not keep If-None-Match; object names will carry the segment's identity. Update the server if you can".into()),
        Err(error) => Err(words(error)),
    });
}

fn clock(destination: &Destination) -> Result<String, String> {
    match destination.clock_skew() {
        None if destination.kind() == Kind::Folder => {
            Ok("a folder has no clock to compare with".into())
        }
        None => Err("the store gave no answer to compare with".into()),
        Some(skew) if skew.unsigned_abs() > WRONG_CLOCK => {
            let side = if skew > 0 { "ahead of" } else { "behind" };
            let seconds = skew.unsigned_abs();
            Err(format!("{seconds} s {side} the store's: set this machine's clock (NTP)"))
        }
        Some(skew) => Ok(format!("within {} s of the store's", skew.unsigned_abs().max(1))),
    }
}
