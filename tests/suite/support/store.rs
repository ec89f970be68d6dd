//! A real S3 protocol server inside the test process: `s3s` over `s3s-fs`, signatures checked.
//!
//! It listens on a port of its own, is away and comes back on the same port, and fails in the
//! ways of [`fault::Fault`] while a test says so. Everything it saw can be asked for. The test
//! reads objects from the folder behind it, not through the server, so that no fault hides them.

mod bucket;
pub mod fault;
mod serve;

pub use fault::{Fault, Rule};
pub use serve::Seen;

use bucket::Bucket;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use serve::Shared;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};

/// The one bucket that exists.
pub const BUCKET: &str = "acm-events";
/// The key that may.
pub const ACCESS_KEY: &str = "AKIADRILL";
/// Its secret.
pub const SECRET_KEY: &str = "drill-secret";

/// One object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// What was stored.
    pub bytes: Vec<u8>,
    /// Its user metadata.
    pub metadata: BTreeMap<String, String>,
    /// `Content-Type` and `Content-Encoding`, as far as they were given.
    pub content: Content,
}

/// `Content-Type` and `Content-Encoding`.
pub type Content = (Option<String>, Option<String>);

/// The server.
pub struct Store {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
    address: SocketAddr,
    listening: Mutex<Option<JoinHandle<()>>>,
    /// Holds the port while nobody listens on it.
    _port: Socket,
}

impl Store {
    /// A healthy store with an empty bucket.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(Bucket(FileSystem::new(folder.path()).unwrap()));
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let shared = Arc::new(Shared::new(builder.build()));
        let (port, address) = reserve_port();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let store = Self {
            runtime: Some(runtime),
            shared,
            folder,
            address,
            listening: Mutex::default(),
            _port: port,
        };
        store.come_back();
        store
    }

    /// For `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on the requests that the rule fits meet its fault.
    pub fn fault(&self, rule: Rule) {
        self.shared.rules.lock().unwrap().push(rule);
    }

    /// No more faults; the store listens.
    pub fn heal(&self) {
        self.shared.rules.lock().unwrap().clear();
        if self.listening.lock().unwrap().is_none() {
            self.come_back();
        }
    }

    /// Connections are refused, and the existing ones are cut.
    pub fn go_away(&self) {
        if let Some(task) = self.listening.lock().unwrap().take() {
            task.abort();
            let ended = self.runtime().block_on(task);
            assert!(ended.is_err(), "the listening ended by itself");
        }
    }

    /// Listens (again) on the same port.
    pub fn come_back(&self) {
        let listener = listen(self.address);
        let task = self.runtime().spawn(accept(listener, self.shared.clone()));
        *self.listening.lock().unwrap() = Some(task);
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Keys that were written more than once, with how often.
    pub fn rewritten(&self) -> Vec<(String, usize)> {
        let stored = self.shared.stored.lock().unwrap();
        let twice = stored.iter().filter(|(_, bodies)| bodies.len() > 1);
        twice.map(|(key, bodies)| (key.clone(), bodies.len())).collect()
    }

    /// The objects under a prefix, in the order of their keys.
    pub fn objects(&self, prefix: &str) -> Vec<Object> {
        let root = self.folder.path().join(BUCKET);
        let mut found = Vec::new();
        for path in files(&root) {
            let key = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if key.starts_with(prefix) {
                let bytes = std::fs::read(&path).unwrap();
                let (metadata, content) = self.attributes(&key);
                found.push(Object { key, bytes, metadata, content });
            }
        }
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }

    /// Makes or changes an object behind the server's back.
    pub fn plant(&self, key: &str, bytes: &[u8], metadata: &[(&str, &str)]) {
        let path = self.folder.path().join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        let metadata: BTreeMap<_, _> = metadata.iter().copied().collect();
        let kept = serde_json::json!({ "user_metadata": metadata });
        std::fs::write(self.beside(key), kept.to_string()).unwrap();
    }

    /// Takes an object away behind the server's back.
    pub fn uproot(&self, key: &str) {
        std::fs::remove_file(self.folder.path().join(BUCKET).join(key)).unwrap();
        std::fs::remove_file(self.beside(key)).unwrap();
    }

    /// The file in which `s3s-fs` keeps an object's attributes.
    fn beside(&self, key: &str) -> PathBuf {
        let name = format!(".bucket-{}.object-{}.metadata.json", base64(BUCKET), base64(key));
        self.folder.path().join(name)
    }

    /// What `s3s-fs` keeps beside an object.
    fn attributes(&self, key: &str) -> (BTreeMap<String, String>, Content) {
        let Ok(text) = std::fs::read(self.beside(key)) else {
            return Default::default();
        };
        let kept: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let metadata = serde_json::from_value(kept["user_metadata"].clone()).unwrap_or_default();
        let text = |name: &str| kept[name].as_str().map(str::to_owned);
        (metadata, (text("content_type"), text("content_encoding")))
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Hung requests never end; do not wait for them.
        self.runtime.take().unwrap().shutdown_background();
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

/// A bound socket that does not listen: connections to its port are refused, nobody else gets the
/// port, and a listener with `SO_REUSEADDR` may join it.
pub fn reserve_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&address.into()).unwrap();
    socket.listen(128).unwrap();
    socket.into()
}

/// Accepts until it is aborted; the connections are aborted with it.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    let stream = stream.into_std().unwrap();
    let handle = Arc::new(stream.try_clone().unwrap());
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let service =
        hyper::service::service_fn(move |request| shared.clone().serve(request, handle.clone()));
    let io = hyper_util::rt::TokioIo::new(stream);
    // An error here is a client that went away, or a fault that hung up.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
