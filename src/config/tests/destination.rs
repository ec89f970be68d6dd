//! Where objects go: buckets, prefixes, folders, and what may not lie inside what.

use super::*;

fn to(destination: &str) -> Result<super::settings::Destination, Problems> {
    read(&[&format!("destination={destination}")], &[]).map(|(settings, _)| settings.destination)
}

#[test]
fn bucket_names_that_cannot_exist_are_refused_with_the_reason() {
    for (name, reason) in [
        ("ab", "2 characters"),
        (&"a".repeat(64), "64 characters"),
        ("Bucket", "'B'"),
        ("my_bucket", "'_'"),
        ("käse", "'ä'"),
        ("-bucket", "begin and end"),
        ("bucket.", "begin and end"),
        ("my..bucket", "two dots"),
        ("192.168.5.4", "IP address"),
        ("xn--bucket", "xn--"),
        ("s3://bucket", "PREFIX"),
        ("bucket/prefix", "PREFIX"),
    ] {
        let (variables, text) = wrong(&[&format!("bucket-name={name}")], &[]);
        assert_eq!(variables, ["BUCKET_NAME"]);
        assert!(text.contains(reason), "{name}: {text}");
    }
    for name in ["abc", "1-2", "my.bucket.name", &"a".repeat(63), "192.168.5.4.5"] {
        read(&[&format!("bucket-name={name}")], &[]).unwrap();
    }
}

#[test]
fn a_prefix_gets_its_slash_with_a_warning() {
    let (settings, warnings) =
        read(&["bucket-name=abc", "prefix=/site 1/acm", "quarantine-prefix=bad"], &[]).unwrap();
    assert_eq!(settings.destination.events, "site 1/acm/");
    assert_eq!(settings.destination.logs, "site 1/acm-logs/");
    assert_eq!(settings.destination.quarantine, "bad/");
    let words = [
        "PREFIX=\"/site 1/acm\" is taken as \"site 1/acm/\"",
        "QUARANTINE_PREFIX=\"bad\" is taken as \"bad/\"",
    ];
    assert_eq!(warnings, words.map(|text| Warning(text.to_owned())));
}

#[test]
fn prefixes_that_touch_are_refused_in_every_direction() {
    for (prefix, quarantine) in [
        ("a/", "a/"),
        ("a/", "a/bad/"),
        ("a/b/", "a/"),
        ("a/", "a-logs/"),
        ("a/", "a-manifests/x/"),
    ] {
        let flags = [format!("prefix={prefix}"), format!("quarantine-prefix={quarantine}")];
        let (variables, _) = wrong_with_bucket(&[&flags[0], &flags[1]]);
        assert_eq!(variables, ["QUARANTINE_PREFIX"], "{prefix} {quarantine}");
    }
    good(&["prefix=a/", "quarantine-prefix=ab/"]);
}

#[test]
fn a_destination_names_store_and_prefix() {
    let s3 = to("s3://my-bucket/site/events").unwrap();
    assert_eq!(s3.url(), "s3://my-bucket/site/events/");
    assert_eq!(s3.url_of(&s3.quarantine), "s3://my-bucket/site/events-quarantine/");
    assert_eq!(to("s3://my-bucket").unwrap().url(), "s3://my-bucket/xml-events/");
    assert_eq!(to("s3://my-bucket/").unwrap().url(), "s3://my-bucket/xml-events/");
    assert_eq!(to("gs://my_bucket/a/").unwrap().url(), "gs://my_bucket/a/");
    assert_eq!(to("az://container/a/").unwrap().url(), "az://container/a/");
    assert_eq!(to("s3://my-bucket/a%20b").unwrap().events, "a%20b/");
}

#[test]
fn a_folder_is_its_parent_and_its_name_so_that_the_quarantine_lies_beside_it() {
    for text in ["file:///srv/acm%20events", "/srv/acm events", "/srv/x/../acm events/"] {
        let folder = to(text).unwrap();
        assert_eq!(folder.place, Place::Folder { root: PathBuf::from("/srv") }, "{text}");
        assert_eq!(folder.events, "acm events/");
        assert_eq!(folder.quarantine, "acm events-quarantine/");
    }
    let here = std::env::current_dir().unwrap();
    assert_eq!(to("out").unwrap().place, Place::Folder { root: here });
    let flags = ["destination=/srv/events", "quarantine-prefix=/srv/bad"];
    assert_eq!(read(&flags, &[]).unwrap().0.destination.quarantine, "bad/");
}

#[test]
fn a_destination_that_is_none_is_refused() {
    for text in [
        "ftp://host/x",
        "s3://B/x",
        "s3://my-bucket/a//x",
        "s3://key:geheim@my-bucket/x",
        "https://account.blob.core.windows.net/x?sig=geheim",
        "s3:my-bucket/x",
        "file://srv/x",
        "/",
        "az://my_container/x",
    ] {
        let text = to(text).unwrap_err().to_string();
        assert!(text.contains("DESTINATION=") && !text.contains("geheim"), "{text}");
    }
    let flags = ["destination=/srv/events", "quarantine-prefix=/elsewhere/bad"];
    assert_eq!(wrong(&flags, &[]).0, ["QUARANTINE_PREFIX"]);
    let flags = ["destination=s3://my-bucket/a/", "prefix=b/"];
    assert_eq!(wrong(&flags, &[]).0, ["PREFIX"]);
}

#[test]
fn spool_and_destination_folder_may_not_lie_inside_each_other() {
    for (destination, data) in [
        ("/srv/events", "/srv/events"),
        ("/srv/data/out", "/srv/data"),
        ("/srv/events", "/srv/events/spool"),
        ("/srv/data", "/srv/data-quarantine/x"),
    ] {
        let flags = [format!("destination={destination}"), format!("data-dir={data}")];
        assert_eq!(wrong(&[&flags[0], &flags[1]], &[]).0, ["DESTINATION"], "{destination} {data}");
    }
    read(&["destination=/srv/events", "data-dir=/srv/data"], &[]).unwrap();
}
