//! The generated SQL in every combination, and names that try to break out of it.

use super::*;
use crate::event::fields::FIELDS;
use crate::spool::manifest::{Compression, Form, Format};
use clap::Parser;
use std::fmt::Write as _;
use std::path::Path;

const FORMATS: [Format; 4] = [Format::Xml, Format::Json, Format::Ndjson, Format::Parquet];

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn parse(words: &[&str]) -> Result<Args, clap::Error> {
    Cli::try_parse_from(std::iter::once(&"x").chain(words)).map(|cli| cli.args)
}

fn target(format: Format) -> Target {
    Target {
        store: Store::S3,
        bucket: "acm-events".into(),
        prefix: "xml-events/".into(),
        form: Form { format, ..Form::default() },
        manifest_prefix: "xml-events-manifests/".into(),
        quarantine_prefix: "xml-events-quarantine/".into(),
    }
}

fn printed(words: &[&str], target: &Target) -> String {
    output(&parse(words).unwrap(), target).unwrap()
}

/// Statements without their comments.
fn statements(script: &str) -> String {
    script.lines().filter(|l| !l.starts_with("--")).fold(String::new(), |mut all, l| {
        let _ = writeln!(all, "{l}");
        all
    })
}

#[test]
fn the_four_default_scripts_are_those_in_the_snapshots() {
    for format in FORMATS {
        let target = target(format);
        let path = format!("tests/snapshots/snowflake-{}.sql", target.extension());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let script = script(&ScriptOptions::default(), &target).unwrap();
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &script).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(
            script == kept,
            "{} differs: look at the change, then run with UPDATE_SNAPSHOTS=1",
            path.display()
        );
    }
}

#[test]
fn an_empty_command_line_means_the_default_options() {
    let typed = parse(&[]).unwrap().options;
    assert_eq!(format!("{typed:?}"), format!("{:?}", ScriptOptions::default()));
}

#[test]
fn nothing_but_the_view_is_ever_replaced() {
    for format in FORMATS {
        for words in [&[][..], &["--pipe"], &["--drop"], &["--drop", "--drop-data"]] {
            let script = statements(&printed(words, &target(format)));
            for (at, _) in script.match_indices("OR REPLACE") {
                assert!(script[at..].starts_with("OR REPLACE VIEW"), "{}", &script[at..at + 40]);
            }
        }
    }
}

#[test]
fn what_is_made_if_missing_is_also_set_if_it_differs() {
    let script = printed(&[], &target(Format::Parquet));
    for kind in ["STORAGE INTEGRATION", "FILE FORMAT", "STAGE", "TABLE"] {
        assert!(script.contains(&format!("\nCREATE {kind} IF NOT EXISTS ")), "{kind}");
        assert!(script.contains(&format!("\nALTER {kind} ")), "{kind}");
    }
}

#[test]
fn xml_is_split_into_events_and_stays_text() {
    let script = printed(&[], &target(Format::Xml));
    assert!(script.contains("STRIP_OUTER_ELEMENT = TRUE DISABLE_AUTO_CONVERT = TRUE"));
    assert!(!script.contains("DISABLE_SNOWFLAKE_DATA"));
    assert!(script.contains("XMLGET(event_data, 'plasectrxEventname'):\"$\"::STRING"));
}

#[test]
fn an_array_is_stripped_and_lines_are_not() {
    assert!(printed(&[], &target(Format::Json)).contains("STRIP_OUTER_ARRAY = TRUE;"));
    assert!(printed(&[], &target(Format::Ndjson)).contains("STRIP_OUTER_ARRAY = FALSE;"));
}

#[test]
fn parquet_is_matched_by_name_and_its_metadata_included() {
    let script = printed(&[], &target(Format::Parquet));
    assert!(script.contains("MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE\nINCLUDE_METADATA = (file_name = METADATA$FILENAME,"));
    assert!(script.contains("ENABLE_SCHEMA_EVOLUTION = TRUE"));
    assert!(script.contains("HASH(* EXCLUDE (file_name, file_row, file_modified, loaded_at))"));
    assert!(!script.contains("SELECT $1,"));
    assert!(!script.contains("COMPRESSION = ZSTD"));
}

#[test]
fn the_pattern_takes_the_formats_own_objects_with_any_compression() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for (format, pattern) in [
            (Format::Xml, "'.*[.]xml([.](gz|zst))?'"),
            (Format::Json, "'.*[.]json([.](gz|zst))?'"),
            (Format::Ndjson, "'.*[.]ndjson([.](gz|zst))?'"),
            (Format::Parquet, "'.*[.]parquet'"),
        ] {
            let mut target = target(format);
            target.form.compression = compression;
            assert!(printed(&[], &target).contains(&format!("\nPATTERN = {pattern}\n")));
        }
    }
}

#[test]
fn a_pipe_and_a_copy_are_never_in_one_script() {
    for format in FORMATS {
        let copy = statements(&printed(&[], &target(format)));
        assert!(copy.contains("\nCOPY INTO ") && !copy.contains("CREATE PIPE"));
        let pipe = statements(&printed(&["--pipe"], &target(format)));
        assert_eq!(pipe.matches("COPY INTO ").count(), 1);
        assert!(pipe.contains("    AUTO_INGEST = TRUE\nAS\nCOPY INTO "));
    }
}

#[test]
fn no_script_purges() {
    for format in FORMATS {
        assert!(!statements(&printed(&[], &target(format))).contains("PURGE"));
    }
}

#[test]
fn the_view_has_every_vendor_field_once() {
    for format in FORMATS {
        let script = printed(&[], &target(format));
        let typed =
            &script[script.find(")\nSELECT\n").unwrap()..script.find("FROM once;").unwrap()];
        for field in FIELDS {
            let alias = format!(" AS {},\n", view::column(field));
            assert_eq!(typed.matches(&alias).count(), 1, "{}", field.name);
        }
    }
}

#[test]
fn never_is_null_and_numbers_with_leading_zeros_stay_text() {
    let script = printed(&[], &target(Format::Ndjson));
    for column in ["lastacc", "expiredat", "activdat", "issuedat"] {
        assert!(
            script.contains(&format!("REPLACE(NULLIF({column}, '19700101000000Z'), 'Z', '+0000')"))
        );
    }
    for column in
        ["pri", "pointaddress", "evtypeaddress", "sourcetype", "issuelevel", "facilitycode"]
    {
        assert!(script.contains(&format!("    TRY_TO_NUMBER({column}) AS {column},\n")));
    }
    for column in ["cardno", "embossedno", "cn"] {
        assert!(script.contains(&format!("\n    {column} AS {column},\n")));
    }
}

#[test]
fn manifests_are_read_only_where_there_are_any() {
    let mut target = target(Format::Xml);
    assert!(!printed(&[], &target).contains("xml-events-manifests"));
    target.form.manifest_object = true;
    let script = printed(&[], &target);
    assert!(
        script.contains("('s3://acm-events/xml-events/', 's3://acm-events/xml-events-manifests/')")
    );
    assert!(script.contains("FROM @XML_EVENTS_STAGE_MANIFESTS"));
    assert!(script.contains("arn:aws:s3:::acm-events/xml-events-manifests/*"));
}

#[test]
fn dropping_keeps_the_table_unless_the_data_is_named() {
    let kept = printed(&["--drop"], &target(Format::Xml));
    assert!(!statements(&kept).contains("DROP TABLE"));
    let gone = printed(&["--drop", "--drop-data"], &target(Format::Xml));
    assert!(statements(&gone).contains("DROP TABLE IF EXISTS XML_EVENTS;"));
    assert!(parse(&["--drop-data"]).is_err());
}

#[test]
fn dropping_takes_away_everything_that_the_set_up_makes() {
    let mut target = target(Format::Parquet);
    target.form.manifest_object = true;
    let made = printed(&["--pipe"], &target);
    let gone = printed(&["--drop", "--drop-data"], &target);
    for line in made.lines().filter(|l| l.contains("IF NOT EXISTS") || l.contains("OR REPLACE")) {
        let words: Vec<_> = line.trim_end_matches(';').split_whitespace().collect();
        let at = words.iter().position(|w| matches!(*w, "EXISTS" | "REPLACE")).unwrap();
        let name = if words[at] == "REPLACE" { words[at + 2] } else { words[at + 1] };
        let stays = matches!(words[1], "DATABASE" | "SCHEMA");
        assert_eq!(gone.contains(&format!("IF EXISTS {name};")), !stays, "{line}");
    }
}

#[test]
fn the_external_id_is_derived_from_the_place_and_the_same_every_time() {
    let id = |t: &Target| Plan::new(&ScriptOptions::default(), t).external_id;
    let here = target(Format::Xml);
    assert_eq!(id(&here), id(&target(Format::Parquet)));
    let there = Target { prefix: "other/".into(), ..here.clone() };
    assert_ne!(id(&here), id(&there));
    assert!(external_id(&id(&here)).is_ok());
    assert!(
        printed(&["--external-id", "mine-1"], &here).contains("STORAGE_AWS_EXTERNAL_ID = 'mine-1'")
    );
}

#[test]
fn the_policies_allow_reading_the_prefix_and_nothing_else() {
    let text = printed(&["--aws-policy=permissions"], &target(Format::Xml));
    let policy: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(policy["Statement"][0]["Resource"][0], "arn:aws:s3:::acm-events/xml-events/*");
    assert_eq!(policy["Statement"][1]["Condition"]["StringLike"]["s3:prefix"][0], "xml-events/*");
    for action in ["Put", "Delete", "s3:*", "\"*\""] {
        assert!(!text.contains(action), "{action}");
    }
    let trust: serde_json::Value =
        serde_json::from_str(&printed(&["--aws-policy=trust"], &target(Format::Xml))).unwrap();
    assert_eq!(
        trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"],
        "xml-stream-aggregator-b66a1eb80acae063"
    );
    let both: serde_json::Value =
        serde_json::from_str(&printed(&["--aws-policy"], &target(Format::Xml))).unwrap();
    assert_eq!(both["trust"], trust);
    assert_eq!(both["permissions"], policy);
}

#[test]
fn a_prefix_with_wildcards_means_itself_in_a_policy() {
    let target = Target { prefix: "a*b$/".into(), ..target(Format::Xml) };
    assert!(printed(&["--aws-policy=permissions"], &target).contains("acm-events/a${*}b${$}/*"));
}

#[test]
fn other_partitions_have_their_own_scheme_and_provider() {
    let arn = "arn:aws-us-gov:iam::123456789012:role/reader";
    let script = printed(&["--aws-role-arn", arn], &target(Format::Xml));
    assert!(script.contains("STORAGE_PROVIDER = 'S3GOV'"));
    assert!(script.contains("('s3gov://acm-events/xml-events/')"));
    assert!(script.contains("arn:aws-us-gov:s3:::acm-events"));
}

#[test]
fn every_cloud_has_its_own_provider_and_url() {
    let gcs = Target { store: Store::Gcs, ..target(Format::Xml) };
    assert!(printed(&[], &gcs).contains("('gcs://acm-events/xml-events/')"));
    let azure = Target { store: Store::Azure { account: "acc".into() }, ..target(Format::Xml) };
    let script = printed(&["--pipe"], &azure);
    assert!(script.contains("'azure://acc.blob.core.windows.net/acm-events/xml-events/'"));
    assert!(script.contains("    INTEGRATION = 'XML_EVENTS_NOTIFICATION'\n"));
    assert!(!script.contains("AWS"));
    assert_eq!(output(&parse(&["--aws-policy"]).unwrap(), &gcs), Err(Refused::NoAwsPolicy));
}

#[test]
fn a_local_folder_is_refused_and_the_message_says_what_to_do() {
    let local = Target { store: Store::Local, ..target(Format::Xml) };
    let refused = output(&parse(&[]).unwrap(), &local).unwrap_err();
    assert!(refused.to_string().contains("BUCKET_NAME"));
}

#[test]
fn no_setting_can_add_a_statement() {
    let evil = "x'; DROP TABLE a; --\"\\'";
    let target = Target {
        bucket: evil.into(),
        prefix: format!("{evil}\nDROP TABLE b;\rDROP TABLE c;/"),
        quarantine_prefix: "q\nDROP TABLE d;".into(),
        ..target(Format::Xml)
    };
    for words in [&[][..], &["--pipe"], &["--drop"]] {
        let named = ["--database", evil, "--table", evil, "--role", evil, "--warehouse", evil];
        let all: Vec<_> = words.iter().chain(&named).copied().collect();
        let script = printed(&all, &target);
        assert_eq!(bare(&script).matches("DROP TABLE").count(), 0, "{script}");
    }
}

/// What is neither in quotes nor in a comment, read as Snowflake does.
fn bare(script: &str) -> String {
    let mut out = String::new();
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '\'' if chars.next_if_eq(&'\'').is_none() => break,
                        _ => {}
                    }
                }
            }
            '"' => {
                while let Some(c) = chars.next() {
                    if c == '"' && chars.next_if_eq(&'"').is_none() {
                        break;
                    }
                }
            }
            '-' if chars.peek() == Some(&'-') => {
                while chars.next().is_some_and(|c| c != '\n' && c != '\r') {}
            }
            c => out.push(c),
        }
    }
    out
}

#[test]
fn wrong_values_are_refused_before_anything_is_printed() {
    for words in [
        &["--database", ""][..],
        &["--table", "a\nb"],
        &["--aws-role-arn", "arn:aws:iam::1:role/x"],
        &["--aws-role-arn", "arn:aws:iam::123456789012:user/x"],
        &["--aws-role-arn", "arn:aws:iam::123456789012:role/x' y"],
        &["--external-id", "a b"],
        &["--external-id", "a"],
        &["--drop", "--pipe"],
    ] {
        assert!(parse(words).is_err(), "{words:?}");
    }
}

#[test]
fn two_installations_have_two_integrations() {
    let one = Plan::new(&ScriptOptions::default(), &target(Format::Xml)).integration;
    let other = Target { prefix: "site-b/".into(), ..target(Format::Xml) };
    assert_ne!(one, Plan::new(&ScriptOptions::default(), &other).integration);
}
