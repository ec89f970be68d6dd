//! Spool and uploads: sizes and times that must fit each other.

use super::Env;
use super::aws;
use super::reader::Reader;
use super::settings::{Settings, Spool, Upload};
use super::typed::{self, Typed};
use crate::base::units::Size;
use crate::spool::manifest::{Compression, Form, Format};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const HOUR: Duration = Duration::from_secs(3_600);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

const MAX_FILE_SIZE: RangeInclusive<u64> = KIB..=4 * GIB;
const MAX_SPOOL_SIZE: RangeInclusive<u64> = 2 * KIB..=1024 * TIB;
const UPLOAD_MEMORY: RangeInclusive<u64> = 64 * KIB..=64 * GIB;
const ROTATION_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=YEAR;
const SYNC_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(1)..=HOUR;
const SHUTDOWN_TIMEOUT: RangeInclusive<Duration> = Duration::ZERO..=HOUR;

pub(super) fn spool(reader: &mut Reader, given: &Typed) -> Spool {
    let (own, files) = (&given.spool, &given.files);
    let dir = |text: &str| Ok(PathBuf::from(text));
    Spool {
        data_dir: reader.value("DATA_DIR", &own.data_dir, "", dir).unwrap_or_default(),
        sync_interval: reader.span("SYNC_INTERVAL", &own.sync_interval, SYNC_INTERVAL),
        max_spool_size: reader.size("MAX_SPOOL_SIZE", &own.max_spool_size, MAX_SPOOL_SIZE),
        rotation_interval: reader.span(
            "ROTATION_INTERVAL",
            &files.rotation_interval,
            ROTATION_INTERVAL,
        ),
        max_file_size: reader.size("MAX_FILE_SIZE", &files.max_file_size, MAX_FILE_SIZE),
        form: form(reader, &given.files, &given.destination),
    }
}

fn form(reader: &mut Reader, files: &typed::Files, place: &typed::Destination) -> Form {
    let formats = [
        ("xml", Format::Xml),
        ("json", Format::Json),
        ("ndjson", Format::Ndjson),
        ("parquet", Format::Parquet),
    ];
    let kinds =
        [("none", Compression::None), ("gzip", Compression::Gzip), ("zstd", Compression::Zstd)];
    Form {
        format: reader.choice("OUTPUT_FORMAT", &files.output_format, &formats).unwrap_or_default(),
        compression: reader.choice("COMPRESSION", &files.compression, &kinds).unwrap_or_default(),
        pretty: reader.flag("PRETTY_PRINT_JSON", &files.pretty_print_json),
        date_folders: reader.flag("USE_DATE_FOLDERS", &place.use_date_folders),
        manifest_object: reader.flag("MANIFEST", &place.manifest),
    }
}

pub(super) fn upload(reader: &mut Reader, given: &Typed, env: &Env) -> Upload {
    let own = &given.uploads;
    Upload {
        concurrency: reader.number("UPLOAD_CONCURRENCY", &own.upload_concurrency, 1..=64),
        memory: reader.size("UPLOAD_MEMORY", &own.upload_memory, UPLOAD_MEMORY),
        aws: aws::read(reader, &given.aws, env),
    }
}

pub(super) fn shutdown_timeout(reader: &mut Reader, given: &typed::Uploads) -> Duration {
    reader.span("SHUTDOWN_TIMEOUT", &given.shutdown_timeout, SHUTDOWN_TIMEOUT)
}

/// Compares sizes with each other.
pub(super) fn fit(reader: &mut Reader, settings: &Settings) {
    let file = ("MAX_FILE_SIZE", settings.spool.max_file_size);
    let message = ("MAX_MESSAGE_SIZE", settings.sieve.max_message_size as u64);
    fits_twice(reader, file, ("UPLOAD_MEMORY", settings.upload.memory));
    fits_twice(reader, message, ("UPLOAD_MEMORY", settings.upload.memory));
    fits_twice(reader, file, ("MAX_SPOOL_SIZE", settings.spool.max_spool_size));
    if message.1 > file.1 && reader.are_fine(&[message.0, file.0]) {
        reader.warn(format!(
            "MAX_MESSAGE_SIZE ({}) is larger than MAX_FILE_SIZE ({}): an event that fits into no \
             file makes a larger one of its own",
            Size(message.1),
            Size(file.1),
        ));
    }
}

/// Every object is one PUT from memory and the next one is prepared meanwhile; a spool that holds
/// less than two files can never finish one while the other is on its way.
fn fits_twice(reader: &mut Reader, small: (&'static str, u64), large: (&'static str, u64)) {
    if small.1.saturating_mul(2) <= large.1 || !reader.are_fine(&[small.0, large.0]) {
        return;
    }
    let wrong = format!("is more than half of {} ({})", large.0, Size(large.1));
    let remedy = format!(
        "Raise {} to at least {} or lower {} to at most {}.",
        large.0,
        Size(small.1.saturating_mul(2)),
        small.0,
        Size(large.1 / 2),
    );
    reader.problem(small.0, Some(&Size(small.1).to_string()), &wrong, &remedy);
}
