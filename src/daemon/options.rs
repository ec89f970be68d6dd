//! From the settings to each part's own options: no part sees the whole configuration.

use super::recoverer::SieveRecoverer;
use crate::admin::guard::Guard;
use crate::config::Settings;
use crate::config::settings::{Encryption, Place, Tls};
use crate::ingest::{silence, tls};
use crate::upload::plan::{Kind, Prefixes};
use crate::{ingest, spool, upload};
use std::sync::Arc;

/// What sealing and recovery need beside one event, in bytes.
const RESERVE: u64 = 1 << 20;

pub(super) fn spool(settings: &Settings) -> spool::Options {
    let own = &settings.spool;
    spool::Options {
        dir: own.data_dir.clone(),
        sync_interval: own.sync_interval,
        rotation_interval: own.rotation_interval,
        max_file_size: own.max_file_size,
        max_spool_size: own.max_spool_size,
        reserve: settings.sieve.max_message_size as u64 + RESERVE,
        element: settings.sieve.element.clone(),
        form: own.form,
        recoverer: Arc::new(SieveRecoverer),
    }
}

pub(super) fn ingest(settings: &Settings) -> Result<ingest::Options, tls::AllUnusable> {
    let own = &settings.listen;
    Ok(ingest::Options {
        sieve: settings.sieve.clone(),
        event_timeout: own.event_timeout,
        idle_timeout: own.idle_timeout,
        max_connections: own.max_connections,
        max_connections_per_peer: own.max_connections_per_peer,
        max_buffer_memory: own.max_buffer_memory,
        allow_from: own.allow_from.clone(),
        rate_limit: own.rate_limit,
        tls: own.tls.as_ref().map(gate).transpose()?,
        silence: None, // needs the spool's folder, which is not ours yet
    })
}

pub(super) fn silence(settings: &Settings) -> Option<silence::Options> {
    let file = settings.spool.data_dir.join("peers.json");
    settings.listen.silence_alarm.map(|limit| silence::Options { limit, file })
}

fn gate(own: &Tls) -> Result<Arc<tls::Gate>, tls::AllUnusable> {
    let (cert, key) = (own.cert_file.clone(), own.key_file.clone());
    let files = tls::Files { cert, key, client_ca: own.client_ca_file.clone() };
    tls::Gate::open(files).map(Arc::new)
}

pub(super) fn upload(settings: &Settings) -> upload::Options {
    upload::Options {
        concurrency: settings.upload.concurrency,
        memory: settings.upload.memory,
        instance: settings.instance_id.clone(),
        ..upload::Options::default()
    }
}

pub(crate) fn destination(settings: &Settings) -> upload::DestinationOptions {
    let own = &settings.destination;
    let (kind, bucket) = match &own.place {
        Place::S3 { bucket } => (Kind::S3, bucket.as_str()),
        Place::Gcs { bucket } => (Kind::Gcs, bucket.as_str()),
        Place::Azure { container } => (Kind::Azure, container.as_str()),
        Place::Folder { .. } => (Kind::Folder, ""),
    };
    let aws = aws(settings);
    let store = upload::StoreOptions { aws, ..upload::StoreOptions::new(kind, bucket) };
    let prefix = |prefix| keys_begin(&own.place, prefix);
    let prefixes = Prefixes {
        events: prefix(&own.events),
        quarantine: prefix(&own.quarantine),
        logs: prefix(&own.logs),
        manifests: prefix(&own.manifests),
    };
    upload::DestinationOptions { store, prefixes }
}

/// A prefix as the store's keys have it; a folder's keys are absolute paths without the first `/`.
fn keys_begin(place: &Place, prefix: &str) -> String {
    match place {
        Place::Folder { root } => {
            root.join(prefix).to_string_lossy().trim_start_matches('/').to_owned()
        }
        _ => prefix.to_owned(),
    }
}

fn aws(settings: &Settings) -> upload::AwsOptions {
    let own = &settings.upload.aws;
    let (sse, sse_kms_key_id) = match &own.encryption {
        None => (None, None),
        Some(Encryption::Aes256) => (Some("AES256"), None),
        Some(Encryption::Kms(key)) => (Some("aws:kms"), key.clone()),
        Some(Encryption::KmsDsse(key)) => (Some("aws:kms:dsse"), key.clone()),
    };
    upload::AwsOptions {
        access_key_id: own.access_key_id.clone(),
        secret_access_key: own.secret_access_key.clone(),
        session_token: own.session_token.clone(),
        region: own.region.clone(),
        profile: own.profile.clone(),
        endpoint: own.endpoint.as_ref().map(ToString::to_string),
        sse: sse.map(str::to_owned),
        sse_kms_key_id,
        ..upload::AwsOptions::from_environment(std::env::vars())
    }
}

pub(super) fn guard(settings: &Settings) -> Guard {
    Guard {
        token: settings.admin.as_ref().and_then(|admin| admin.token.clone()),
        names: vec![settings.instance_id.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, Typed};

    fn destination_of(text: &str) -> upload::DestinationOptions {
        let mut typed = Typed::default();
        typed.destination.destination = Some(text.to_owned());
        let (settings, _) = Settings::from_typed(&typed, &Env::of(&[])).unwrap();
        destination(&settings)
    }

    #[test]
    fn a_buckets_keys_begin_with_the_prefix_as_it_was_typed() {
        let s3 = destination_of("s3://my-bucket/a%20b/");
        assert_eq!((s3.store.kind, s3.store.bucket.as_str()), (Kind::S3, "my-bucket"));
        assert_eq!(s3.prefixes.events, "a%20b/");
        assert_eq!(s3.prefixes.quarantine, "a%20b-quarantine/");
        let azure = destination_of("az://box/x/");
        assert_eq!((azure.store.kind, azure.store.bucket.as_str()), (Kind::Azure, "box"));
    }

    #[test]
    fn a_folders_keys_are_absolute_paths_and_its_siblings_lie_beside_it() {
        for text in ["/srv/out", "file:///srv/out", "/srv/out/"] {
            let own = destination_of(text);
            assert_eq!((own.store.kind, own.store.bucket.as_str()), (Kind::Folder, ""));
            let Prefixes { events, quarantine, logs, manifests } = own.prefixes;
            assert_eq!([events, quarantine], ["srv/out/", "srv/out-quarantine/"]);
            assert_eq!([logs, manifests], ["srv/out-logs/", "srv/out-manifests/"]);
        }
    }
}
