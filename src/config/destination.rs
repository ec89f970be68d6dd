//! Where objects go: a store and four prefixes in it that do not touch each other.
//!
//! `BUCKET_NAME` with `PREFIX`, or `DESTINATION` alone. A prefix always ends in `/`: a load of
//! `xml-events/` then never meets `xml-events-quarantine/`. A folder becomes its parent as the place
//! and its own name as the prefix, so that the quarantine lies beside it.
//! Refused: names that cannot exist in the store, prefixes inside each other, credentials in URLs.

use super::problem::shown;
use super::reader::{Reader, Wrong, typed};
use super::settings::{Destination, Place, Settings};
use super::typed::Destination as Typed;
use object_store::path::Path as Key;
use std::path::{Component, Path, PathBuf};
use url::Url;

const BUCKET_REMEDY: &str =
    "Allowed: 3 to 63 lower-case letters, digits, dots and hyphens, as in my-events-bucket.";
const PREFIX_REMEDY: &str =
    "Allowed: folder names with '/' between and behind, as in site-1/xml-events/.";
const DESTINATION_REMEDY: &str = "Allowed: s3://bucket/prefix/, gs://bucket/prefix/, az://container/prefix/, \
     file:///folder, or the path of a folder.";

pub(super) fn read(reader: &mut Reader, given: &Typed) -> Destination {
    let (place, own_prefix) = place(reader, given);
    let prefix = prefix(reader, "PREFIX", &given.prefix).unwrap_or_else(|| "xml-events/".into());
    let events = chosen_prefix(reader, given, &place, own_prefix, prefix);
    let quarantine = quarantine(reader, given, &place);
    Destination {
        quarantine: quarantine.unwrap_or_else(|| beside(&events, "quarantine")),
        logs: beside(&events, "logs"),
        manifests: beside(&events, "manifests"),
        place,
        events,
    }
}

/// Checks what can only be seen when everything is read.
pub(super) fn fit(reader: &mut Reader, settings: &Settings) {
    apart(reader, &settings.destination);
    if let Place::Folder { root } = &settings.destination.place {
        outside_the_spool(reader, root, &settings.destination, &settings.spool.data_dir);
    }
}

fn place(reader: &mut Reader, given: &Typed) -> (Place, Option<String>) {
    let nothing = (Place::S3 { bucket: String::new() }, None);
    match (typed(&given.destination), typed(&given.bucket_name)) {
        (Some(destination), Some(_)) => {
            let wrong = "and BUCKET_NAME are both set";
            let remedy = "Keep one: BUCKET_NAME with PREFIX, or DESTINATION.";
            reader.problem("DESTINATION", Some(destination), wrong, remedy);
            nothing
        }
        (None, None) => {
            let remedy = "Set BUCKET_NAME to an S3 bucket, or DESTINATION to a URL or folder. \
                          To look around without a store: xml-stream-aggregator demo.";
            reader.problem("BUCKET_NAME", None, "is missing", remedy);
            nothing
        }
        (None, Some(_)) => {
            let bucket = reader.value("BUCKET_NAME", &given.bucket_name, BUCKET_REMEDY, s3_bucket);
            (Place::S3 { bucket: bucket.unwrap_or_default() }, None)
        }
        (Some(_), None) => reader
            .value("DESTINATION", &given.destination, DESTINATION_REMEDY, destination)
            .unwrap_or(nothing),
    }
}

fn destination(text: &str) -> Result<(Place, Option<String>), Wrong> {
    let Some((scheme, _)) = text.split_once("://") else { return folder(&plain_path(text)?) };
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("carries credentials, which belong into the environment".into());
    }
    if url.query().is_some() {
        return Err("has a '?' in it".into());
    }
    if scheme == "file" {
        let path = url.to_file_path().map_err(|()| "needs three slashes: file:///folder")?;
        return folder(&path);
    }
    in_bucket(scheme, url.host_str().unwrap_or_default(), &after_host(text))
}

fn in_bucket(scheme: &str, name: &str, path: &str) -> Result<(Place, Option<String>), Wrong> {
    let place = match scheme {
        "s3" => Place::S3 { bucket: s3_bucket(name)? },
        "gs" => Place::Gcs { bucket: gcs_bucket(name)? },
        "az" => Place::Azure { container: azure_container(name)? },
        _ => return Err("begins with a scheme that is not known".into()),
    };
    match path {
        "" => Ok((place, None)),
        path => Ok((place, Some(tidy_prefix(path)?))),
    }
}

/// The path of a URL as it was typed: nothing is decoded, because keys are not encoded.
fn after_host(text: &str) -> String {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    rest.split_once('/').map_or("", |(_, path)| path).to_owned()
}

fn plain_path(text: &str) -> Result<PathBuf, Wrong> {
    let scheme = ["s3:", "gs:", "az:", "file:"].iter().any(|scheme| text.starts_with(scheme));
    if scheme {
        return Err("lacks the two slashes behind the colon".into());
    }
    Ok(PathBuf::from(text))
}

fn folder(path: &Path) -> Result<(Place, Option<String>), Wrong> {
    let path = absolute(path).ok_or("is not a path that can be made absolute")?;
    let name = path.file_name().ok_or("is the root of the file system, beside which nothing is")?;
    let name = name.to_str().ok_or("is not UTF-8")?;
    let root = path.parent().ok_or("has no parent")?.to_path_buf();
    Ok((Place::Folder { root }, Some(tidy_prefix(name)?)))
}

/// Absolute, with `.` and `..` taken out as they are written.
fn absolute(path: &Path) -> Option<PathBuf> {
    let mut tidy = PathBuf::new();
    for part in std::path::absolute(path).ok()?.components() {
        match part {
            Component::ParentDir => drop(tidy.pop()),
            part => tidy.push(part),
        }
    }
    Some(tidy)
}

fn chosen_prefix(
    reader: &mut Reader,
    given: &Typed,
    place: &Place,
    own: Option<String>,
    prefix: String,
) -> String {
    let Some(own) = own else { return prefix };
    if typed(&given.prefix).is_some() && own != prefix && reader.are_fine(&["PREFIX"]) {
        match place {
            Place::Folder { .. } => reader.warn("PREFIX is not used: DESTINATION names the folder"),
            _ => reader.problem(
                "PREFIX",
                typed(&given.prefix),
                "differs from the prefix in DESTINATION",
                "Leave out one of the two.",
            ),
        }
    }
    own
}

fn quarantine(reader: &mut Reader, given: &Typed, place: &Place) -> Option<String> {
    let text = typed(&given.quarantine_prefix)?;
    let relative = match place {
        Place::Folder { root } => Path::new(text).strip_prefix(root).ok().and_then(Path::to_str),
        _ => None,
    };
    if matches!(place, Place::Folder { .. }) && relative.is_none() && text.starts_with('/') {
        let remedy = "Name a folder that lies beside DESTINATION.";
        reader.problem("QUARANTINE_PREFIX", Some(text), "lies elsewhere", remedy);
        return None;
    }
    prefix(reader, "QUARANTINE_PREFIX", &Some(relative.unwrap_or(text).to_owned()))
}

fn prefix(
    reader: &mut Reader,
    variable: &'static str,
    text: &super::typed::Text,
) -> Option<String> {
    let tidy = reader.value(variable, text, PREFIX_REMEDY, tidy_prefix)?;
    if let Some(text) = typed(text).filter(|text| *text != tidy && reader.are_fine(&[variable])) {
        reader.warn(format!("{variable}=\"{}\" is taken as \"{tidy}\"", shown(text)));
    }
    Some(tidy)
}

fn tidy_prefix(text: &str) -> Result<String, Wrong> {
    if text.chars().any(char::is_control) {
        return Err("holds a control character".into());
    }
    let key = Key::parse(text).map_err(|_| "holds an empty name, '.' or '..'")?;
    match key.as_ref() {
        "" => Err("is empty".into()),
        key if key.len() > 512 => Err("is longer than 512 bytes".into()),
        key => Ok(format!("{key}/")),
    }
}

/// `xml-events/` → `xml-events-logs/`.
fn beside(prefix: &str, what: &str) -> String {
    format!("{}-{what}/", prefix.trim_end_matches('/'))
}

fn apart(reader: &mut Reader, destination: &Destination) {
    if !reader.are_fine(&["PREFIX", "DESTINATION", "QUARANTINE_PREFIX"]) {
        return;
    }
    let own = &destination.quarantine;
    for (other, what) in [
        (&destination.events, "event objects"),
        (&destination.logs, "log objects"),
        (&destination.manifests, "manifest objects"),
    ] {
        if own.starts_with(other.as_str()) || other.starts_with(own.as_str()) {
            let wrong = format!("and \"{other}\", where {what} go, lie inside each other");
            let remedy = format!(
                "Choose one that begins otherwise, as in {}.",
                beside(&destination.events, "quarantine")
            );
            reader.problem("QUARANTINE_PREFIX", Some(own), &wrong, &remedy);
            return;
        }
    }
}

fn outside_the_spool(reader: &mut Reader, root: &Path, destination: &Destination, data: &Path) {
    let Some(data) = absolute(data) else { return };
    let prefixes =
        [&destination.events, &destination.quarantine, &destination.logs, &destination.manifests];
    let touching = prefixes.into_iter().map(|prefix| root.join(prefix));
    let touching = touching.into_iter().find(|own| own.starts_with(&data) || data.starts_with(own));
    if let Some(own) = touching {
        let wrong =
            format!("and DATA_DIR ({}) lie inside each other", shown(&data.to_string_lossy()));
        let remedy = "Objects and spool need folders of their own: change one of the two.";
        reader.problem("DESTINATION", Some(&own.to_string_lossy()), &wrong, remedy);
    }
}

fn s3_bucket(name: &str) -> Result<String, Wrong> {
    dns_like(name, 63, b".-")?;
    if name.contains("..") {
        return Err("has two dots in a row".into());
    }
    if name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err("looks like an IP address".into());
    }
    let reserved = ["xn--", "sthree-", "amzn-s3-demo-"];
    match reserved.iter().find(|start| name.starts_with(**start)) {
        Some(start) => Err(format!("begins with {start}, which S3 keeps for itself")),
        None => Ok(name.to_owned()),
    }
}

fn gcs_bucket(name: &str) -> Result<String, Wrong> {
    dns_like(name, 222, b".-_")?;
    Ok(name.to_owned())
}

fn azure_container(name: &str) -> Result<String, Wrong> {
    dns_like(name, 63, b"-")?;
    if name.contains("--") {
        return Err("has two hyphens in a row".into());
    }
    Ok(name.to_owned())
}

fn dns_like(name: &str, longest: usize, between: &[u8]) -> Result<(), Wrong> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.contains('/') {
        return Err("holds a '/': the part behind it belongs into PREFIX".into());
    }
    if name.len() < 3 || name.len() > longest {
        return Err(format!(
            "names a bucket of {} characters; 3 to {longest} can exist",
            name.len()
        ));
    }
    if let Some(bad) =
        name.chars().find(|c| !c.is_ascii() || !(plain(*c as u8) || between.contains(&(*c as u8))))
    {
        return Err(format!("has a {bad:?} in the bucket's name"));
    }
    let mut ends = name.bytes().take(1).chain(name.bytes().next_back());
    match ends.all(plain) {
        true => Ok(()),
        false => {
            Err("has a bucket's name that does not begin and end with a letter or digit".into())
        }
    }
}
