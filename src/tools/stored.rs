//! What a tool reads from a store: one object, or all objects below a prefix.
//!
//! `s3://bucket/key`, `gs://…`, `az://…`, `file:///path`; a URL that ends in `/` stands for
//! everything below it. The keys are those the program itself would use: the environment, Docker
//! secrets, the profile, the machine's role. Reads only. An object is held in memory whole.

use crate::config;
use crate::upload::AwsOptions;
use crate::upload::destination::Place;
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A request that takes longer is an error.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether a text names something in a store and not a local path.
#[must_use]
pub fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// One URL, opened.
#[derive(Debug)]
pub struct Stored {
    place: Place,
    is_prefix: bool,
    runtime: Runtime,
}

impl Stored {
    /// Opens the store that a URL names; nothing is asked of it yet.
    ///
    /// # Errors
    /// The URL or the settings for the store cannot be used.
    pub fn open(url: &str) -> Result<Self> {
        let aws = AwsOptions::from_environment(std::env::vars());
        if let Some(endpoint) = &aws.endpoint {
            config::endpoint(endpoint).map_err(|wrong| anyhow!("AWS_ENDPOINT_URL {wrong}"))?;
        }
        let place = Place::open(url, aws)
            .map_err(|problem| anyhow!("cannot be used: {}", problem.message))?;
        Ok(Self {
            is_prefix: place.prefix.ends_with('/'),
            place,
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// The object that was named, or those below the prefix, in the order of their keys.
    ///
    /// # Errors
    /// The store did not list them.
    pub fn keys(&self) -> Result<Vec<Path>> {
        let prefix = Path::parse(&self.place.prefix)?;
        if !self.is_prefix {
            return Ok(vec![prefix]);
        }
        let listed = self.place.store.list(Some(&prefix)).map_ok(|found| found.location);
        let mut keys: Vec<Path> = self.within(listed.try_collect()).context("cannot be listed")?;
        keys.sort();
        Ok(keys)
    }

    /// An object's bytes.
    ///
    /// # Errors
    /// The store did not give them.
    pub fn fetch(&self, key: &Path) -> Result<Bytes> {
        let got = async { self.place.store.get(key).await?.bytes().await };
        self.within(got).context("cannot be fetched")
    }

    /// How a person finds an object.
    #[must_use]
    pub fn show(&self, key: &Path) -> String {
        self.place.show(key)
    }

    fn within<T>(&self, work: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        let limited = self.runtime.block_on(async { tokio::time::timeout(LIMIT, work).await });
        Ok(limited.map_err(|_| anyhow!("no answer within {} s", LIMIT.as_secs()))??)
    }
}
