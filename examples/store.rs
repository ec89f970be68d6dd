//! An S3 server for documentation and trials: objects are plain files under `FOLDER/BUCKET/`.
//!
//! `cargo run --example store -- FOLDER` prints its address, for `AWS_ENDPOINT_URL`, and serves until
//! it is ended. Keys: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` of its own environment. A bucket
//! is a folder that exists. Not for anything that must last.

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "./buckets".into());
    let files = s3s_fs::FileSystem::new(&folder).map_err(|e| anyhow::anyhow!("{folder}: {e:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    let key = std::env::var("AWS_ACCESS_KEY_ID")?;
    builder.set_auth(SimpleAuth::from_single(key, std::env::var("AWS_SECRET_ACCESS_KEY")?));
    let service = builder.build();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let service = service.clone();
        // A client that goes away in the middle concerns only its own connection.
        tokio::spawn(async move {
            http1::Builder::new().serve_connection(TokioIo::new(socket), service).await
        });
    }
}
