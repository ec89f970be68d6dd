//! Senders that choose their address, and senders that speak TLS, with an authority of their own.

use super::appliance::{Event, Session};
use super::process::PATIENCE;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A connection from one of this machine's own addresses (127.x.y.z).
pub fn connect_from(source: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&to.into())?;
    let stream: TcpStream = socket.into();
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends events one by one with a pause between, and waits until the program has read them all.
pub fn send_from(source: Ipv4Addr, to: SocketAddr, events: Vec<Event>, pause: Duration) -> Session {
    let mut socket = connect_from(source, to).unwrap();
    for event in &events {
        socket.write_all(&event.sent).unwrap();
        std::thread::sleep(pause); // the sender's rate; nothing is expected of it
    }
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(socket.read(&mut [0; 16]).unwrap(), 0, "the program answered");
    Session::of(events)
}

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn issue(&self) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// How a sender speaks that trusts this authority, with or without a certificate of its own.
    pub fn client(&self, own: Option<&Pair>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let cert = CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![cert], key).unwrap()
            }
        };
        Arc::new(config)
    }
}

impl Pair {
    /// Writes `cert.pem` and `key.pem`.
    pub fn write(&self, folder: &Path) {
        std::fs::write(folder.join("cert.pem"), &self.cert).unwrap();
        std::fs::write(folder.join("key.pem"), &self.key).unwrap();
    }
}

/// A connection that speaks TLS.
pub struct Secure(StreamOwned<ClientConnection, TcpStream>);

impl Secure {
    /// Completes the handshake as far as the client can see it.
    pub fn connect(
        source: Ipv4Addr,
        to: SocketAddr,
        config: &Arc<ClientConfig>,
    ) -> std::io::Result<Self> {
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::clone(config), name).unwrap();
        let mut stream = StreamOwned::new(client, connect_from(source, to)?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self(stream))
    }

    pub fn send(&mut self, event: &Event) -> std::io::Result<()> {
        self.0.write_all(&event.sent)?;
        self.0.flush()
    }

    /// Ends the connection without saying so in TLS; the program closes its side.
    pub fn hang_up(mut self) {
        self.0.sock.shutdown(Shutdown::Write).unwrap();
        std::io::copy(&mut self.0.sock, &mut std::io::sink()).unwrap();
    }

    /// Says that nothing follows and waits until the program has read everything and closes.
    ///
    /// # Errors
    /// It refused the connection.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()?;
        self.0.sock.shutdown(Shutdown::Write)?;
        match self.0.read(&mut [0; 16]) {
            Ok(0) => Ok(()),
            Ok(_) => panic!("the program answered"),
            // It closes without a farewell, as it does on plain TCP.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The same as [`send_from`] over TLS.
pub fn send_secure(
    source: Ipv4Addr,
    to: SocketAddr,
    config: &Arc<ClientConfig>,
    events: Vec<Event>,
    pause: Duration,
) -> Session {
    let mut socket = Secure::connect(source, to, config).unwrap();
    for event in &events {
        socket.send(event).unwrap();
        std::thread::sleep(pause); // the sender's rate; nothing is expected of it
    }
    socket.finish().unwrap();
    Session::of(events)
}
