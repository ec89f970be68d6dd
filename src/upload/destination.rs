//! The stores behind the settings: built once, asked by everybody.
//!
//! `object_store`'s own retries and time-outs are off: there is one loop of retries, ours. Nothing
//! is asked of the store here, so one that is away or refuses does not stop the start. Trusted:
//! options, which `config` has checked. Not trusted: a URL from an old manifest ([`url`]).

use super::PRODUCER;
use super::answer::{Connector, Skew};
use super::credentials::{Chain, Origin, profile_region};
use super::plan::{AwsOptions, DestinationOptions, Kind, Problem, StoreOptions};
use super::url::{self, Named};
use crate::spool::Lane;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum, S3ConditionalPut};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    BackoffConfig, Certificate, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// A connection that takes longer to make is given up.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// One prefix of a store.
#[derive(Debug, Clone)]
pub struct Place {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// Its kind.
    pub kind: Kind,
    /// What every key begins with; ends in `/`.
    pub prefix: String,
    /// The place as a URL without secrets, as manifests record it. It names the server too, if
    /// that is not Amazon's own, so that the same bucket name elsewhere is another place.
    pub url: String,
    root: String,
}

impl Place {
    /// The place that a URL names. Its server is the one in the URL, else the one in `aws`.
    ///
    /// # Errors
    /// The URL names none, or the settings for the store cannot be used.
    pub fn open(url: &str, aws: AwsOptions) -> Result<Self, Problem> {
        let named = url::read(url)?;
        let endpoint = named.endpoint.clone().or(aws.endpoint.clone());
        let aws = AwsOptions { endpoint, ..aws };
        let options = StoreOptions { aws, ..StoreOptions::new(named.kind, &named.bucket) };
        let opened = open(&options, &Arc::default())?;
        Ok(Self::of(&options, &opened.store, &named.prefix))
    }

    fn of(options: &StoreOptions, store: &Arc<dyn ObjectStore>, prefix: &str) -> Self {
        let named = Named {
            kind: options.kind,
            bucket: options.bucket.clone(),
            prefix: prefix.to_owned(),
            endpoint: options.aws.endpoint.clone(),
        };
        let (url, root) = (named.url(), named.root());
        Self { store: store.clone(), kind: named.kind, prefix: named.prefix, url, root }
    }

    /// How a person finds an object: a URL, or the path of a file.
    #[must_use]
    pub fn show(&self, key: &Path) -> String {
        format!("{}{key}", self.root)
    }
}

/// Where objects go.
#[derive(Debug)]
pub struct Destination {
    options: StoreOptions,
    events: Place,
    quarantine: Place,
    logs: Place,
    manifests: Place,
    skew: Arc<Skew>,
    credentials: Option<Arc<Chain>>,
}

impl Destination {
    /// Builds what the settings ask for.
    ///
    /// # Errors
    /// The store's own settings cannot be used.
    pub fn new(options: DestinationOptions) -> Result<Self, Problem> {
        let skew = Arc::new(Skew::default());
        let opened = open(&options.store, &skew)?;
        Ok(Self::assemble(options, opened, skew))
    }

    /// A destination on a given store: for a tool that brings its own, and for tests.
    #[must_use]
    pub fn on(store: Arc<dyn ObjectStore>, options: DestinationOptions) -> Self {
        Self::assemble(options, Opened { store, credentials: None }, Arc::default())
    }

    fn assemble(options: DestinationOptions, opened: Opened, skew: Arc<Skew>) -> Self {
        let DestinationOptions { store: options, prefixes } = options;
        let place = |prefix: &str| Place::of(&options, &opened.store, prefix);
        Self {
            events: place(&prefixes.events),
            quarantine: place(&prefixes.quarantine),
            logs: place(&prefixes.logs),
            manifests: place(&prefixes.manifests),
            options,
            skew,
            credentials: opened.credentials,
        }
    }

    /// Where a lane's objects go.
    #[must_use]
    pub fn place(&self, lane: Lane) -> &Place {
        match lane {
            Lane::Events => &self.events,
            Lane::Quarantine => &self.quarantine,
            Lane::Logs => &self.logs,
        }
    }

    /// Where manifest objects go.
    #[must_use]
    pub fn manifests(&self) -> &Place {
        &self.manifests
    }

    /// The kind of store.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.options.kind
    }

    /// Which place the S3 keys came from; `None` before the first request.
    #[must_use]
    pub fn credentials(&self) -> Option<Origin> {
        self.credentials.as_ref()?.answered()
    }

    /// Seconds that our clock is ahead of the store's; `None` before its first answer.
    #[must_use]
    pub fn clock_skew(&self) -> Option<i64> {
        self.skew.seconds()
    }

    /// Whether the server is known to keep the condition of a PUT without being asked.
    #[must_use]
    pub fn is_known_to_condition(&self) -> bool {
        self.options.kind != Kind::S3 || self.options.aws.endpoint.is_none()
    }

    /// A place that an older manifest names, with today's credentials.
    ///
    /// # Errors
    /// The URL is none of ours.
    pub fn reopen(&self, url: &str) -> Result<Place, Problem> {
        let named = url::read(url)?;
        let options = StoreOptions {
            kind: named.kind,
            bucket: named.bucket,
            aws: AwsOptions { endpoint: named.endpoint, ..self.options.aws.clone() },
            extra_roots: self.options.extra_roots.clone(),
        };
        let opened = open(&options, &self.skew)?;
        let prefix = format!("{}/", named.prefix.trim_end_matches('/'));
        Ok(Place::of(&options, &opened.store, &prefix))
    }
}

struct Opened {
    store: Arc<dyn ObjectStore>,
    credentials: Option<Arc<Chain>>,
}

fn open(options: &StoreOptions, skew: &Arc<Skew>) -> Result<Opened, Problem> {
    let without_keys = |store: Arc<dyn ObjectStore>| Opened { store, credentials: None };
    match options.kind {
        Kind::S3 => open_s3(options, skew),
        Kind::Gcs => open_gcs(options, skew).map(without_keys),
        Kind::Azure => open_azure(options, skew).map(without_keys),
        // Keys are absolute paths, so that a folder that is not there yet is made at the first PUT.
        Kind::Folder => Ok(without_keys(Arc::new(LocalFileSystem::new().with_fsync(true)))),
    }
}

fn open_s3(options: &StoreOptions, skew: &Arc<Skew>) -> Result<Opened, Problem> {
    let build =
        |builder: AmazonS3Builder| builder.build().map_err(|error| problem("AWS_…", &error));
    let base = s3_builder(options, skew)?;
    let last = build(base.clone())?.credentials().clone();
    let chain = Arc::new(Chain::new(options.aws.clone(), last));
    let store: AmazonS3 = build(base.with_credentials(chain.clone()))?;
    Ok(Opened { store: Arc::new(store), credentials: Some(chain) })
}

fn s3_builder(options: &StoreOptions, skew: &Arc<Skew>) -> Result<AmazonS3Builder, Problem> {
    let aws = &options.aws;
    let endpoint = aws.endpoint.as_deref();
    let is_http = endpoint.is_some_and(|e| e.starts_with("http://"));
    let region = aws.region.clone().or_else(|| profile_region(aws));
    let mut builder = from_environment(aws)
        .with_client_options(client(options, is_http)?)
        .with_http_connector(Connector::new(skew.clone()))
        .with_retry(no_retries())
        .with_bucket_name(&options.bucket)
        .with_region(region.unwrap_or_else(|| String::from("us-east-1")))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_checksum_algorithm(Checksum::CRC64NVME)
        // TLS protects the payload on its way; without it the signature does.
        .with_unsigned_payload(!is_http)
        // A dot in a bucket's name does not fit the certificate of a host name.
        .with_virtual_hosted_style_request(endpoint.is_none() && !options.bucket.contains('.'));
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    Ok(encryption(builder, aws))
}

fn encryption(builder: AmazonS3Builder, aws: &AwsOptions) -> AmazonS3Builder {
    let pairs =
        [("aws_server_side_encryption", &aws.sse), ("aws_sse_kms_key_id", &aws.sse_kms_key_id)];
    pairs.into_iter().fold(builder, |builder, (key, value)| {
        match (AmazonS3ConfigKey::from_str(key), value) {
            (Ok(key), Some(value)) => builder.with_config(key, value),
            _ => builder,
        }
    })
}

/// The variables that `object_store` itself knows, except those for its HTTP client.
fn from_environment(aws: &AwsOptions) -> AmazonS3Builder {
    let keys = aws.environment.iter().filter_map(|(name, value)| {
        let key = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()).ok()?;
        (!matches!(key, AmazonS3ConfigKey::Client(_))).then_some((key, value))
    });
    keys.fold(AmazonS3Builder::new(), |builder, (key, value)| {
        builder.with_config(key, value.reveal())
    })
}

fn open_gcs(options: &StoreOptions, skew: &Arc<Skew>) -> Result<Arc<dyn ObjectStore>, Problem> {
    let store = GoogleCloudStorageBuilder::from_env()
        .with_client_options(client(options, false)?)
        .with_http_connector(Connector::new(skew.clone()))
        .with_retry(no_retries())
        .with_bucket_name(&options.bucket)
        .build()
        .map_err(|error| problem("GOOGLE_APPLICATION_CREDENTIALS", &error))?;
    Ok(Arc::new(store))
}

fn open_azure(options: &StoreOptions, skew: &Arc<Skew>) -> Result<Arc<dyn ObjectStore>, Problem> {
    let store = MicrosoftAzureBuilder::from_env()
        .with_client_options(client(options, false)?)
        .with_http_connector(Connector::new(skew.clone()))
        .with_retry(no_retries())
        .with_container_name(&options.bucket)
        .build()
        .map_err(|error| problem("AZURE_STORAGE_ACCOUNT_NAME", &error))?;
    Ok(Arc::new(store))
}

fn problem(variable: &'static str, error: &object_store::Error) -> Problem {
    Problem { variable, message: error.to_string() }
}

fn no_retries() -> RetryConfig {
    let retry_timeout = Duration::ZERO;
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 0, retry_timeout }
}

fn client(options: &StoreOptions, is_http: bool) -> Result<ClientOptions, Problem> {
    let client = ClientOptions::new()
        .with_config(ClientConfigKey::UserAgent, PRODUCER)
        .with_connect_timeout(CONNECT_LIMIT)
        .with_timeout_disabled()
        .with_allow_http(is_http);
    let Some(pem) = &options.extra_roots else { return Ok(client) };
    let roots = Certificate::from_pem_bundle(pem)
        .map_err(|error| problem("extra certificate authorities", &error))?;
    Ok(roots.into_iter().fold(client, ClientOptions::with_root_certificate))
}

#[cfg(test)]
#[path = "destination/tests.rs"]
mod tests;
