//! The chain of places for keys, place by place.

use super::*;
use object_store::StaticCredentialProvider;
use std::fs;
use tempfile::TempDir;

struct House {
    dir: TempDir,
    options: AwsOptions,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = AwsOptions {
            secrets_dir: dir.path().join("secrets"),
            credentials_file: Some(dir.path().join("credentials")),
            config_file: Some(dir.path().join("config")),
            ..AwsOptions::default()
        };
        fs::create_dir(&options.secrets_dir).unwrap();
        Self { dir, options }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    fn chain(&self) -> Chain {
        let last = AwsCredential { key_id: "last".into(), secret_key: "x".into(), token: None };
        Chain::new(self.options.clone(), Arc::new(StaticCredentialProvider::new(last)))
    }

    async fn ask(&self) -> Result<(String, Origin), String> {
        let chain = self.chain();
        match chain.get_credential().await {
            Ok(keys) => Ok((keys.key_id.clone(), chain.answered().unwrap())),
            Err(error) => Err(innermost(&error)),
        }
    }
}

#[tokio::test]
async fn docker_secrets_come_before_settings_and_settings_before_profiles() {
    let mut house = House::new();
    assert_eq!(house.ask().await.unwrap(), ("last".into(), Origin::Instance));

    house.write("credentials", "[default]\naws_access_key_id = P\naws_secret_access_key = s\n");
    assert_eq!(house.ask().await.unwrap(), ("P".into(), Origin::Profile("default".into())));

    house.options.access_key_id = Some("E".into());
    house.options.secret_access_key = Some("s".to_owned().into());
    assert_eq!(house.ask().await.unwrap(), ("E".into(), Origin::Settings));

    house.write("secrets/aws_access_key_id", "D\n");
    house.write("secrets/aws_secret_access_key", "s\n");
    assert_eq!(house.ask().await.unwrap(), ("D".into(), Origin::Secrets));
}

#[tokio::test]
async fn a_rotated_secret_is_used_at_the_next_request() {
    let house = House::new();
    house.write("secrets/aws_access_key_id", "old");
    house.write("secrets/aws_secret_access_key", "s");
    let chain = house.chain();
    assert_eq!(chain.get_credential().await.unwrap().key_id, "old");
    house.write("secrets/aws_access_key_id", "new");
    assert_eq!(chain.get_credential().await.unwrap().key_id, "new");
}

#[tokio::test]
async fn half_a_pair_is_refused_and_named() {
    let mut house = House::new();
    house.options.access_key_id = Some("E".into());
    let text = house.ask().await.unwrap_err();
    assert!(text.contains("AWS_SECRET_ACCESS_KEY is not"), "{text}");
    house.write("secrets/aws_secret_access_key", "hush");
    let text = house.ask().await.unwrap_err();
    assert!(text.contains("aws_access_key_id is not"), "{text}");
    assert!(!text.contains("hush"));
}

#[tokio::test]
async fn a_named_profile_is_read_from_both_files() {
    let mut house = House::new();
    house.options.profile = Some("site".into());
    let text = house.ask().await.unwrap_err();
    assert!(text.contains("\"site\" is in neither"), "{text}");

    house.write("config", "# a comment\n[profile site]\nregion=eu-north-1\ns3 =\n  region = no\n");
    let text = house.ask().await.unwrap_err();
    assert!(text.contains("credential_process"), "{text}");
    assert_eq!(profile_region(&house.options).as_deref(), Some("eu-north-1"));

    house.write(
        "credentials",
        "[other]\naws_access_key_id=N\n[site]\naws_access_key_id=A\naws_secret_access_key=s\n\
         aws_session_token=t\n[late]\naws_access_key_id=L\n",
    );
    let chain = house.chain();
    let keys = chain.get_credential().await.unwrap();
    assert_eq!((keys.key_id.as_str(), keys.token.as_deref()), ("A", Some("t")));
    assert_eq!(chain.answered(), Some(Origin::Profile("site".into())));
}

#[tokio::test]
async fn a_credential_process_is_run_and_kept_until_it_expires() {
    let mut house = House::new();
    house.options.profile = Some("p".into());
    let script = house.dir.path().join("count");
    let line = |expires: &str| {
        format!(
            "[profile p]\ncredential_process = echo x >> '{}'; printf '{{\"Version\":1,\
             \"AccessKeyId\":\"K\",\"SecretAccessKey\":\"s\",\"Expiration\":\"{expires}\"}}'\n",
            script.display()
        )
    };
    house.write("config", &line("2999-01-01T00:00:00Z"));
    let chain = house.chain();
    for _ in 0..3 {
        assert_eq!(chain.get_credential().await.unwrap().key_id, "K");
    }
    assert_eq!(fs::read_to_string(&script).unwrap().lines().count(), 1);
    assert_eq!(chain.answered(), Some(Origin::Process("p".into())));

    house.write("config", &line("2001-01-01T00:00:00Z"));
    let chain = house.chain();
    for _ in 0..2 {
        chain.get_credential().await.unwrap();
    }
    assert_eq!(fs::read_to_string(&script).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn a_failing_credential_process_is_named_without_its_output() {
    let mut house = House::new();
    house.options.profile = Some("p".into());
    for (command, expected) in [("echo hush; exit 3", "failed"), ("echo hush", "did not print")] {
        house.write("config", &format!("[profile p]\ncredential_process = {command}\n"));
        let text = house.ask().await.unwrap_err();
        assert!(text.contains(expected) && !text.contains("hush"), "{text}");
    }
}

#[test]
fn the_last_place_is_named_after_the_environment() {
    let with = |names: &[&str]| {
        let environment =
            names.iter().map(|n| ((*n).to_owned(), Secret::from(String::from("x")))).collect();
        last_origin(&AwsOptions { environment, ..AwsOptions::default() })
    };
    assert_eq!(with(&[]), Origin::Instance);
    assert_eq!(with(&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"]), Origin::WebIdentity);
    assert_eq!(with(&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]), Origin::Container);
}
