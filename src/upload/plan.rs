//! Where objects go, worked out from the settings without touching anything.
//!
//! All problems are found at once, each with the variable, its value and what is allowed. A plan
//! that came out is sound: prefixes end in `/`, none is empty, none of the outer ones lies inside
//! the event prefix (a `COPY INTO` would load it).

use crate::base::secret::Secret;
use object_store::path::Path;
use std::path::PathBuf;
use url::Url;

/// What the settings say about the destination.
#[derive(Debug, Clone, Default)]
pub struct DestinationOptions {
    /// `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///dir` or a plain path.
    /// For `BUCKET_NAME` and `PREFIX` use [`DestinationOptions::bucket`].
    pub url: String,
    /// `QUARANTINE_PREFIX`; derived if not given: `xml-events-quarantine/` for `xml-events/`.
    pub quarantine: Option<String>,
    /// Prefix of log objects; derived if not given.
    pub logs: Option<String>,
    /// Prefix of manifest objects; derived if not given.
    pub manifests: Option<String>,
    /// Everything about S3.
    pub aws: AwsOptions,
    /// PEM certificates of authorities that the system does not know.
    pub extra_roots: Option<Vec<u8>>,
}

impl DestinationOptions {
    /// `DESTINATION`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// `BUCKET_NAME` and `PREFIX`.
    #[must_use]
    pub fn bucket(bucket: &str, prefix: &str) -> Self {
        Self::new(format!("s3://{bucket}/{}", prefix.trim_start_matches('/')))
    }
}

/// What the settings and the environment say about S3.
#[derive(Debug, Clone)]
pub struct AwsOptions {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<Secret>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<Secret>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`, else the profile's, else `us-east-1`.
    pub region: Option<String>,
    /// `AWS_PROFILE`.
    pub profile: Option<String>,
    /// `AWS_ENDPOINT_URL_S3`, else `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// `AWS_SSE`: `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub sse: Option<String>,
    /// `AWS_SSE_KMS_KEY_ID`.
    pub sse_kms_key_id: Option<String>,
    /// Where Docker puts secrets.
    pub secrets_dir: PathBuf,
    /// `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub config_file: Option<PathBuf>,
    /// The remaining `AWS_…` variables: web identity, containers, instance metadata.
    pub environment: Vec<(String, Secret)>,
}

impl Default for AwsOptions {
    fn default() -> Self {
        Self {
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            region: None,
            profile: None,
            endpoint: None,
            sse: None,
            sse_kms_key_id: None,
            secrets_dir: PathBuf::from("/run/secrets"),
            credentials_file: None,
            config_file: None,
            environment: Vec::new(),
        }
    }
}

impl AwsOptions {
    /// Reads the variables of the usual chain; empty ones count as not set.
    #[must_use]
    pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Self {
        let mut options = Self::default();
        let mut home = None;
        let mut fallback_region = None;
        let mut general_endpoint = None;
        for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "HOME" => home = Some(PathBuf::from(value).join(".aws")),
                "AWS_ACCESS_KEY_ID" => options.access_key_id = Some(value),
                "AWS_SECRET_ACCESS_KEY" => options.secret_access_key = Some(value.into()),
                "AWS_SESSION_TOKEN" => options.session_token = Some(value.into()),
                "AWS_REGION" => options.region = Some(value),
                "AWS_DEFAULT_REGION" => fallback_region = Some(value),
                "AWS_PROFILE" => options.profile = Some(value),
                "AWS_ENDPOINT_URL_S3" => options.endpoint = Some(value),
                "AWS_ENDPOINT_URL" => general_endpoint = Some(value),
                "AWS_SSE" => options.sse = Some(value),
                "AWS_SSE_KMS_KEY_ID" => options.sse_kms_key_id = Some(value),
                "AWS_SHARED_CREDENTIALS_FILE" => options.credentials_file = Some(value.into()),
                "AWS_CONFIG_FILE" => options.config_file = Some(value.into()),
                _ if name.starts_with("AWS_") => options.environment.push((name, value.into())),
                _ => {}
            }
        }
        options.region = options.region.or(fallback_region);
        options.endpoint = options.endpoint.or(general_endpoint);
        let beside = |file: &str| home.as_ref().map(|home| home.join(file));
        options.credentials_file = options.credentials_file.or(beside("credentials"));
        options.config_file = options.config_file.or(beside("config"));
        options
    }
}

/// Something wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with its value, and what is allowed.
    pub message: String,
}

/// The kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Amazon S3, or a server that speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    Azure,
    /// A folder of this machine.
    Folder,
}

/// Where objects go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The kind of store.
    pub kind: Kind,
    /// Bucket or container; empty for a folder.
    pub bucket: String,
    /// The four prefixes, each ending in `/`; for a folder its absolute path without the first `/`.
    pub prefixes: Prefixes,
    /// Things to say aloud at start.
    pub warnings: Vec<String>,
}

/// One prefix for each kind of object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes {
    /// Event objects.
    pub events: String,
    /// Quarantine objects.
    pub quarantine: String,
    /// Log objects.
    pub logs: String,
    /// Manifest objects.
    pub manifests: String,
}

/// Works out where objects go.
///
/// # Errors
/// Every problem of the settings, not only the first.
pub fn plan(options: &DestinationOptions) -> Result<Plan, Vec<Problem>> {
    let (kind, bucket, prefix) = split(&options.url).map_err(|problem| vec![problem])?;
    let mut found = Findings::default();
    let variable = "DESTINATION";
    let events = found.prefix(kind, variable, &prefix);
    let mut outer = |variable, given: &Option<String>, tail| {
        let prefix = given.clone().unwrap_or_else(|| derive(&events, tail));
        let prefix =
            if kind == Kind::Folder && given.is_some() { absolute(&prefix) } else { prefix };
        let prefix = found.prefix(kind, variable, &prefix);
        found.outside(variable, &prefix, &events);
        prefix
    };
    let prefixes = Prefixes {
        quarantine: outer("QUARANTINE_PREFIX", &options.quarantine, "quarantine"),
        logs: outer("LOGS_PREFIX", &options.logs, "logs"),
        manifests: outer("MANIFEST_PREFIX", &options.manifests, "manifests"),
        events,
    };
    found.endpoint(options.aws.endpoint.as_deref());
    if found.problems.is_empty() {
        Ok(Plan { kind, bucket, prefixes, warnings: found.warnings })
    } else {
        Err(found.problems)
    }
}

/// `xml-events/` and `quarantine` give `xml-events-quarantine/`.
fn derive(prefix: &str, tail: &str) -> String {
    format!("{}-{tail}/", prefix.trim_end_matches('/'))
}

fn split(url: &str) -> Result<(Kind, String, String), Problem> {
    let problem = |message| Problem { variable: "DESTINATION", message };
    if !url.contains("://") {
        return Ok((Kind::Folder, String::new(), absolute(url)));
    }
    let parsed =
        Url::parse(url).map_err(|error| problem(format!("\"{url}\" is no URL: {error}")))?;
    let kind = match parsed.scheme() {
        "s3" | "s3a" => Kind::S3,
        "gs" => Kind::Gcs,
        "az" | "azure" | "abfs" => Kind::Azure,
        "file" => {
            let path = parsed.to_file_path().map_err(|()| {
                problem(format!("\"{url}\" names no folder: write file:///folder, three slashes"))
            })?;
            return Ok((Kind::Folder, String::new(), absolute(&path.to_string_lossy())));
        }
        other => {
            return Err(problem(format!(
                "\"{other}://\" is not known: s3://, gs://, az://, file:/// or a plain path"
            )));
        }
    };
    if parsed.password().is_some() || !parsed.username().is_empty() {
        return Err(problem(String::from("a URL with a user or password: keys go into AWS_…")));
    }
    let bucket = parsed.host_str().unwrap_or_default().to_owned();
    check_bucket(kind, &bucket).map_err(|message| {
        let variable = "BUCKET_NAME";
        Problem { variable, message }
    })?;
    Ok((kind, bucket, decoded(parsed.path())))
}

fn decoded(path: &str) -> String {
    let parsed = Path::from_url_path(path).map(String::from);
    // What does not decode is refused with the prefix's own message.
    let text = parsed.unwrap_or_else(|_| path.trim_start_matches('/').to_owned());
    if path.ends_with('/') && !text.is_empty() { text + "/" } else { text }
}

fn check_bucket(kind: Kind, bucket: &str) -> Result<(), String> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let inner = |b: u8| letter(b) || b == b'-' || b == b'.' || (kind != Kind::S3 && b == b'_');
    let ends =
        bucket.bytes().next().is_some_and(letter) && bucket.bytes().last().is_some_and(letter);
    if (3..=63).contains(&bucket.len())
        && ends
        && bucket.bytes().all(inner)
        && !bucket.contains("..")
    {
        return Ok(());
    }
    Err(format!(
        "\"{bucket}\" cannot exist: 3 to 63 lower-case letters, digits, dots and dashes, \
         beginning and ending with a letter or digit"
    ))
}

/// The absolute path of a folder without its first `/`; nothing is asked of the disk.
fn absolute(path: &str) -> String {
    let path = std::path::absolute(path)
        .map_or_else(|_| path.to_owned(), |p| p.to_string_lossy().into_owned());
    path.trim_start_matches('/').to_owned()
}

#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Findings {
    fn add(&mut self, variable: &'static str, message: String) {
        self.problems.push(Problem { variable, message });
    }

    /// A prefix with its `/` at the end.
    fn prefix(&mut self, kind: Kind, variable: &'static str, prefix: &str) -> String {
        let bare = prefix.trim_matches('/');
        if bare.is_empty() {
            self.add(variable, String::from("the prefix is empty: name one, such as xml-events/"));
        } else if let Err(error) = Path::parse(bare) {
            self.add(variable, format!("\"{prefix}\" is no prefix: {error}"));
        } else if !prefix.ends_with('/') && kind != Kind::Folder {
            self.warnings.push(format!("{variable}: a / was added to the prefix \"{prefix}\""));
        }
        format!("{bare}/")
    }

    fn outside(&mut self, variable: &'static str, prefix: &str, events: &str) {
        if prefix.starts_with(events) {
            self.add(
                variable,
                format!(
                    "\"{prefix}\" lies inside the event prefix \"{events}\", where COPY INTO \
                         would load it: name a prefix outside"
                ),
            );
        }
    }

    fn endpoint(&mut self, endpoint: Option<&str>) {
        let Some(endpoint) = endpoint else { return };
        let sound = Url::parse(endpoint).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
        });
        if !sound {
            self.add(
                "AWS_ENDPOINT_URL",
                String::from("no address: write http://host:port or https://host, without a user"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_prefixes_are_derived_beside_the_event_prefix() {
        let plan = plan(&DestinationOptions::bucket("my-bucket", "site/xml-events/")).unwrap();
        assert_eq!(plan.kind, Kind::S3);
        assert_eq!(plan.bucket, "my-bucket");
        assert_eq!(plan.prefixes.events, "site/xml-events/");
        assert_eq!(plan.prefixes.quarantine, "site/xml-events-quarantine/");
        assert_eq!(plan.prefixes.logs, "site/xml-events-logs/");
        assert_eq!(plan.prefixes.manifests, "site/xml-events-manifests/");
        assert!(plan.warnings.is_empty());
    }

    #[test]
    fn a_missing_slash_is_added_and_said() {
        let plan = plan(&DestinationOptions::bucket("my-bucket", "xml-events")).unwrap();
        assert_eq!(plan.prefixes.events, "xml-events/");
        assert_eq!(plan.prefixes.quarantine, "xml-events-quarantine/");
        assert_eq!(plan.warnings.len(), 1);
    }

    #[test]
    fn a_folder_has_sibling_folders() {
        for url in ["/srv/out", "file:///srv/out", "/srv/out/"] {
            let plan = plan(&DestinationOptions::new(url)).unwrap();
            assert_eq!(plan.kind, Kind::Folder);
            assert_eq!(plan.prefixes.events, "srv/out/");
            assert_eq!(plan.prefixes.quarantine, "srv/out-quarantine/");
        }
        let here = plan(&DestinationOptions::new("out")).unwrap();
        let expected = std::env::current_dir().unwrap().join("out");
        assert_eq!(format!("/{}", here.prefixes.events), format!("{}/", expected.display()));
    }

    #[test]
    fn all_problems_are_found_at_once() {
        let mut options = DestinationOptions::bucket("my-bucket", "xml-events/");
        options.quarantine = Some("xml-events/bad/".into());
        options.logs = Some("a//b".into());
        options.aws.endpoint = Some("127.0.0.1:9000".into());
        let problems = plan(&options).unwrap_err();
        let variables: Vec<_> = problems.iter().map(|p| p.variable).collect();
        assert_eq!(variables, ["QUARANTINE_PREFIX", "LOGS_PREFIX", "AWS_ENDPOINT_URL"]);
    }

    #[test]
    fn a_bucket_name_that_cannot_exist_is_refused() {
        for bucket in ["ab", "My_Bucket", "-abc", "a..b", &"a".repeat(64)] {
            let problems = plan(&DestinationOptions::bucket(bucket, "p/")).unwrap_err();
            assert_eq!(problems.len(), 1, "{bucket}");
        }
    }

    #[test]
    fn an_empty_prefix_and_an_unknown_scheme_are_refused() {
        assert!(plan(&DestinationOptions::bucket("my-bucket", "")).is_err());
        assert!(plan(&DestinationOptions::new("ftp://host/dir")).is_err());
        assert!(plan(&DestinationOptions::new("s3://key:secret@bucket/p/")).is_err());
    }

    #[test]
    fn a_prefix_with_a_space_is_the_same_prefix() {
        let plan = plan(&DestinationOptions::bucket("my-bucket", "my events/")).unwrap();
        assert_eq!(plan.prefixes.events, "my events/");
    }

    #[test]
    fn the_environment_fills_the_options_and_their_debug_hides_the_secrets() {
        let pairs = [
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_PROFILE", ""),
            ("AWS_ROLE_ARN", "arn:hush"),
            ("HOME", "/home/x"),
        ];
        let options = AwsOptions::from_environment(
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())),
        );
        assert_eq!(options.region.as_deref(), Some("eu-west-1"));
        assert_eq!(options.profile, None);
        assert_eq!(options.credentials_file, Some(PathBuf::from("/home/x/.aws/credentials")));
        assert_eq!(options.environment.len(), 1);
        assert!(!format!("{options:?}").contains("hush"));
    }
}
