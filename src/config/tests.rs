//! Every setting: what is taken, what is refused, and in which words.

mod destination;

use super::settings::{Encryption, LogFormat, Place};
use super::*;
use crate::ingest::sieve::OnMalformed;
use crate::spool::manifest::{Compression, Format};
use clap::{Args, Command, FromArgMatches};
use std::path::PathBuf;
use std::time::Duration;

/// What these flags (`"port=80"`) and variables give. The process' own variables have no say.
fn read(flags: &[&str], env: &[(&str, &str)]) -> Result<(Settings, Vec<Warning>), Problems> {
    Settings::from_typed(&typed(flags), &Env::of(env))
}

fn typed(flags: &[&str]) -> Typed {
    let command = Typed::augment_args(Command::new("test")).mut_args(|arg| arg.env(None::<&str>));
    let flags = flags.iter().map(|flag| format!("--{flag}"));
    let flags = std::iter::once("test".to_owned()).chain(flags);
    let matches = command.try_get_matches_from(flags).unwrap();
    Typed::from_arg_matches(&matches).unwrap()
}

/// With a bucket, and no complaint.
fn good(flags: &[&str]) -> Settings {
    let (settings, warnings) = read(&[&["bucket-name=my-bucket"], flags].concat(), &[]).unwrap();
    assert_eq!(warnings, []);
    settings
}

/// The variables with a problem, and all the words.
fn wrong(flags: &[&str], env: &[(&str, &str)]) -> (Vec<&'static str>, String) {
    let problems = read(flags, env).map(|_| ()).unwrap_err();
    (problems.0.iter().map(|problem| problem.variable).collect(), problems.to_string())
}

fn wrong_with_bucket(flags: &[&str]) -> (Vec<&'static str>, String) {
    wrong(&[&["bucket-name=my-bucket"], flags].concat(), &[])
}

#[test]
fn without_anything_but_a_bucket_the_defaults_hold() {
    let settings = good(&[]);
    assert_eq!((settings.listen.port, settings.listen.host.to_string()), (8080, "0.0.0.0".into()));
    assert_eq!(settings.destination.url(), "s3://my-bucket/xml-events/");
    assert_eq!(settings.destination.quarantine, "xml-events-quarantine/");
    assert_eq!(settings.destination.logs, "xml-events-logs/");
    assert_eq!(settings.destination.manifests, "xml-events-manifests/");
    assert_eq!(settings.spool.data_dir, PathBuf::from("./data"));
    assert_eq!(settings.spool.max_file_size, 10_485_760);
    assert_eq!(settings.spool.max_spool_size, 10 << 30);
    assert_eq!(settings.spool.rotation_interval, Duration::from_secs(3_600));
    assert_eq!(settings.spool.sync_interval, Duration::from_secs(1));
    assert_eq!(settings.spool.form, Default::default());
    assert_eq!((settings.upload.concurrency, settings.upload.memory), (4, 24 << 20));
    assert_eq!(settings.sieve.max_message_size, 1_048_576);
    assert_eq!(settings.sieve.element.as_str(), "EVENT");
    assert_eq!(settings.sieve.on_malformed, OnMalformed::Repair);
    assert_eq!(settings.listen.max_buffer_memory, 16 << 20);
    assert_eq!(settings.listen.event_timeout, Duration::from_secs(60));
    assert_eq!((settings.listen.idle_timeout, settings.listen.silence_alarm), (None, None));
    assert_eq!((settings.listen.rate_limit, settings.listen.udp_port), (None, None));
    assert_eq!((settings.listen.tls, settings.listen.allow_from.len()), (None, 0));
    assert_eq!(
        (settings.listen.max_connections, settings.listen.max_connections_per_peer),
        (1_000, 100)
    );
    assert_eq!(settings.admin.unwrap().addr.to_string(), "127.0.0.1:8081");
    assert_eq!((settings.log.level, settings.log.to_store), (tracing::Level::INFO, false));
    assert_eq!(settings.instance_id, "host");
    assert_eq!(settings.shutdown_timeout, Duration::from_secs(8));
}

#[test]
fn every_default_belongs_to_a_setting_and_can_be_read() {
    let rows = table::rows();
    for (variable, default) in defaults::DEFAULTS.iter().chain(defaults::DERIVED) {
        let row = rows.iter().find(|row| row.variable == *variable);
        assert_eq!(row.map(|row| row.default.as_str()), Some(*default), "{variable}");
    }
    for (variable, default) in defaults::DEFAULTS {
        let flag = format!("{}={default}", variable.to_lowercase().replace('_', "-"));
        good(&[&flag]);
    }
}

#[test]
fn every_flag_is_named_after_its_variable() {
    for row in table::rows() {
        let flag = row.flag.map(|flag| flag.trim_start_matches('-').replace('-', "_"));
        assert!(flag.is_none_or(|flag| flag.to_uppercase() == row.variable), "{}", row.variable);
    }
}

#[test]
fn a_value_that_is_not_allowed_is_a_problem_of_its_own_variable_whatever_it_is() {
    for (flag, bad) in [
        ("bucket-name", "My_Bucket"),
        ("prefix", "a//b/"),
        ("prefix", "/"),
        ("prefix", "../x"),
        ("use-date-folders", "perhaps"),
        ("quarantine-prefix", "xml-events/bad/"),
        ("manifest", "2"),
        ("rotation-interval", "0"),
        ("rotation-interval", "1h30m"),
        ("max-file-size", "10M"),
        ("max-file-size", "20MiB"),
        ("output-format", "yaml"),
        ("compression", "bzip2"),
        ("pretty-print-json", "si"),
        ("aws-region", "eu central"),
        ("aws-endpoint-url", "localhost:9000"),
        ("aws-endpoint-url", "ftp://host"),
        ("aws-endpoint-url", "http://user:geheim@host"),
        ("aws-sse", "rot13"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", "+80"),
        ("bind-host", "example.com"),
        ("udp-port", "udp"),
        ("allow-from", "10.0.0.0/33"),
        ("allow-from", "10.0.0.1,any"),
        ("max-connections", "0"),
        ("max-connections-per-peer", "0"),
        ("idle-timeout", "10ms"),
        ("silence-alarm", "soon"),
        ("rate-limit-enabled", "ja"),
        ("rate-limit-window", "0"),
        ("rate-limit-max-events", "0"),
        ("tls-client-ca-file", "/nonexistent/ca.pem"),
        ("event-element", "EVENTS"),
        ("on-malformed", "drop"),
        ("event-timeout", "0"),
        ("max-message-size", "17MiB"),
        ("max-message-size", "1"),
        ("max-buffer-memory", "lots"),
        ("sync-interval", "0"),
        ("max-spool-size", "1"),
        ("upload-concurrency", "0"),
        ("upload-memory", "1KiB"),
        ("shutdown-timeout", "2h"),
        ("admin-addr", "8081"),
        ("admin-addr", "127.0.0.1:8080"),
        ("log-level", "loud"),
        ("log-format", "xml"),
        ("log-to-store", "maybe"),
        ("instance-id", "Zürich"),
    ] {
        let flags = [format!("{flag}={bad}")];
        let bucket = ["bucket-name=my-bucket", flags[0].as_str()];
        let flags = if flag == "bucket-name" { &bucket[1..] } else { &bucket[..] };
        let (variables, text) = wrong(flags, &[]);
        let variable = flag.to_uppercase().replace('-', "_");
        assert!(variables.contains(&variable.as_str()), "{flag}={bad}: {text}");
        assert!(variables.iter().all(|v| *v == variable), "one problem only: {text}");
        assert!(!text.contains("geheim"));
    }
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_table() {
    let (variables, text) = wrong_with_bucket(&["port=80a", "max-spool-size=x", "log-level=loud"]);
    assert_eq!(variables, ["MAX_SPOOL_SIZE", "PORT", "LOG_LEVEL"]);
    assert!(text.starts_with("3 settings cannot be used"), "{text}");
    assert!(text.contains("PORT=\"80a\" is not a whole number. Allowed: 0 to 65535."), "{text}");
}

#[test]
fn an_empty_value_is_as_good_as_none() {
    let (settings, warnings) =
        read(&["bucket-name=abc", "prefix=", "port= ", "udp-port="], &[("MAX_RETRIES", "")])
            .unwrap();
    assert_eq!((settings.destination.events.as_str(), settings.listen.port), ("xml-events/", 8080));
    assert_eq!(warnings, []);
}

#[test]
fn without_bucket_and_destination_nothing_starts() {
    let (variables, text) = wrong(&["bucket-name="], &[]);
    assert_eq!(variables, ["BUCKET_NAME"]);
    assert!(text.contains("DESTINATION") && text.contains("demo"), "{text}");
    assert_eq!(wrong_with_bucket(&["destination=s3://other/x"]).0, ["DESTINATION"]);
}

#[test]
fn sizes_that_do_not_fit_each_other_say_which_one_to_change() {
    let (variables, text) = wrong_with_bucket(&["max-file-size=100MiB"]);
    assert_eq!(variables, ["MAX_FILE_SIZE"]);
    assert!(text.contains("Raise UPLOAD_MEMORY to at least 200 MiB"), "{text}");
    assert!(text.contains("lower MAX_FILE_SIZE to at most 12 MiB"), "{text}");
    let (variables, text) = wrong_with_bucket(&["max-spool-size=15MiB"]);
    assert_eq!(variables, ["MAX_FILE_SIZE"]);
    assert!(text.contains("MAX_SPOOL_SIZE"), "{text}");
    let (variables, text) = wrong_with_bucket(&["max-buffer-memory=1MiB", "max-message-size=2MiB"]);
    assert_eq!(variables, ["MAX_MESSAGE_SIZE"]);
    assert!(text.contains("Raise MAX_BUFFER_MEMORY"), "{text}");
    good(&["max-file-size=12MiB", "max-spool-size=24MiB", "max-message-size=12MiB"]);
}

#[test]
fn an_event_larger_than_a_file_is_worth_a_warning() {
    let (_, warnings) = read(&["bucket-name=abc", "max-file-size=1KiB"], &[]).unwrap();
    assert!(warnings[0].0.contains("MAX_MESSAGE_SIZE (1 MiB)"), "{warnings:?}");
}

#[test]
fn a_comparison_waits_until_both_sides_can_be_read() {
    let (variables, _) = wrong_with_bucket(&["max-file-size=much", "upload-memory=64KiB"]);
    assert_eq!(variables, ["MAX_FILE_SIZE", "MAX_MESSAGE_SIZE"]);
    let (variables, _) = wrong_with_bucket(&["max-file-size=1GiB", "upload-memory=much"]);
    assert_eq!(variables, ["UPLOAD_MEMORY"]);
}

#[test]
fn the_python_scripts_settings_start_this_program_with_one_warning() {
    let old = [
        ("MAX_RETRIES", "5"),
        ("RETRY_BASE_DELAY", "1"),
        ("CURRENT_FILE", "/tmp/current.xml"),
        ("TEMP_FILE", "/tmp/temp.xml"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "geheim"),
    ];
    let flags =
        ["bucket-name=abc", "log-level=WARNING", "use-date-folders=True", "output-format=XML"];
    let (settings, warnings) = read(&flags, &old).unwrap();
    assert!(settings.spool.form.date_folders);
    assert_eq!(settings.log.level, tracing::Level::WARN);
    assert_eq!(warnings.len(), 1);
    for variable in ["MAX_RETRIES", "RETRY_BASE_DELAY", "CURRENT_FILE", "TEMP_FILE", "DATA_DIR"] {
        assert!(warnings[0].0.contains(variable), "{variable}: {}", warnings[0]);
    }
}

#[test]
fn secrets_come_from_the_environment_and_are_never_shown() {
    let env = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "geheim1"),
        ("AWS_SESSION_TOKEN", "geheim2"),
        ("ADMIN_TOKEN", "geheim3"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let (settings, _) = read(&["bucket-name=abc"], &env).unwrap();
    assert_eq!(settings.upload.aws.secret_access_key.as_ref().unwrap().reveal(), "geheim1");
    assert_eq!(settings.upload.aws.session_token.as_ref().unwrap().reveal(), "geheim2");
    assert_eq!(settings.admin.as_ref().unwrap().token.as_ref().unwrap().reveal(), "geheim3");
    assert_eq!(settings.upload.aws.region.as_deref(), Some("eu-west-1"));
    assert!(!format!("{settings:?} {:?}", Env::of(&env)).contains("geheim"));
    let (_, text) = wrong(&["port=x"], &env);
    assert!(!text.contains("geheim"));
}

#[test]
fn keys_come_in_pairs_from_variables_or_docker_secrets() {
    let half = [("AWS_ACCESS_KEY_ID", "AKIA")];
    assert_eq!(wrong(&["bucket-name=abc"], &half).0, ["AWS_SECRET_ACCESS_KEY"]);
    let other = [("AWS_SECRET_ACCESS_KEY", "geheim")];
    let (variables, text) = wrong(&["bucket-name=abc"], &other);
    assert!(variables == ["AWS_ACCESS_KEY_ID"] && !text.contains("geheim"), "{text}");
    read(&["destination=/srv/events"], &half).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("aws_secret_access_key"), "geheim").unwrap();
    let typed = Typed {
        destination: typed::Destination { bucket_name: Some("abc".into()), ..Default::default() },
        ..Default::default()
    };
    Settings::from_typed(&typed, &Env::of(&half).with_secrets(folder.path())).unwrap();
}

#[test]
fn tls_files_come_in_pairs_and_are_opened_only_where_they_are_used() {
    let [cert, key, ca] = ["cert", "key", "client-ca"].map(|kind| format!("tls-{kind}-file=/no/x"));
    assert_eq!(wrong_with_bucket(&[&cert]).0, ["TLS_KEY_FILE"]);
    assert_eq!(wrong_with_bucket(&[&key]).0, ["TLS_CERT_FILE"]);
    assert_eq!(wrong_with_bucket(&[&ca]).0, ["TLS_CLIENT_CA_FILE"]);
    // As `status` and `healthcheck` read them: gone files are none of their business.
    assert_eq!(good(&[&cert, &key, &ca]).listen.tls.unwrap().client_ca_file, Some("/no/x".into()));
    let typed = typed(&["bucket-name=my-bucket", &cert, &key, &ca]);
    let problems = Settings::for_check(&typed, &Env::of(&[])).map(|_| ()).unwrap_err().0;
    let variables: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
    assert_eq!(variables, ["TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"]);
}

#[test]
fn what_is_typed_arrives() {
    let settings = good(&[
        "use-date-folders",
        "manifest=yes",
        "output-format=parquet",
        "compression=GZIP",
        "rate-limit-enabled",
        "rate-limit-window=5s",
        "rate-limit-max-events=7",
        "allow-from=10.1.2.3/8, 192.168.7.20,fd00::/8",
        "max-connections=50",
        "idle-timeout=10m",
        "silence-alarm=1h",
        "udp-port=8082",
        "on-malformed=quarantine",
        "event-element=ALARM",
        "admin-addr=off",
        "log-format=json",
        "aws-endpoint-url=http://127.0.0.1:9000",
        "aws-sse-kms-key-id=alias/x",
        "instance-id=site 1",
    ]);
    let form = settings.spool.form;
    assert_eq!((form.format, form.compression), (Format::Parquet, Compression::Gzip));
    assert!(form.date_folders && form.manifest_object && !form.pretty);
    let limit = settings.listen.rate_limit.unwrap();
    assert_eq!((limit.window, limit.max_events), (Duration::from_secs(5), 7));
    let networks: Vec<_> = settings.listen.allow_from.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.168.7.20/32", "fd00::/8"]);
    assert_eq!(settings.listen.max_connections_per_peer, 50);
    assert_eq!(settings.listen.idle_timeout, Some(Duration::from_secs(600)));
    assert_eq!(settings.listen.silence_alarm, Some(Duration::from_secs(3_600)));
    assert_eq!(settings.listen.udp_port, Some(8082));
    assert_eq!(settings.sieve.on_malformed, OnMalformed::Quarantine);
    assert_eq!(settings.sieve.element.as_str(), "ALARM");
    assert!(settings.admin.is_none());
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.upload.aws.endpoint.unwrap().as_str(), "http://127.0.0.1:9000/");
    assert_eq!(settings.upload.aws.encryption, Some(Encryption::Kms(Some("alias/x".into()))));
    assert_eq!(settings.instance_id, "site 1");
}

#[test]
fn a_quotation_mark_that_docker_left_in_a_value_is_pointed_out() {
    let (_, text) = wrong_with_bucket(&["port=\"8080\""]);
    assert!(text.contains("Leave the quotation marks out"), "{text}");
}

#[test]
fn a_value_is_shown_on_one_line_and_not_without_end() {
    let (_, text) = wrong_with_bucket(&[&format!("port=1\n2\u{1b}{}", "x".repeat(10_000))]);
    assert!(text.len() < 600 && text.contains("1\\n2\\u{1b}x"), "{text}");
}
