//! What the settings name in the world around: files for TLS and addresses to listen at.
//!
//! Not looked at for `status`, `healthcheck` and the like, which run beside the program: its
//! addresses are in use then, and a broken file on the disk is none of their business.

use super::reader::{Reader, typed};
use super::settings::Settings;
use super::typed::Listener;
use crate::ingest::tls;
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

/// What to do about an address that cannot be listened at.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "Another process listens there: stop it, or choose another port."
        }
        io::ErrorKind::PermissionDenied => "Ports below 1024 need rights: choose a higher one.",
        io::ErrorKind::AddrNotAvailable => "This machine has no such address: choose one it has.",
        _ => "Choose another address.",
    }
}

/// Reads the files for TLS; those that could not be opened have been told already.
pub(super) fn files(reader: &mut Reader, own: &Listener) {
    let fine = |variable, text| typed(text).filter(|_| reader.are_fine(&[variable])).map(Path::new);
    let found = tls::examine(
        fine("TLS_CERT_FILE", &own.tls_cert_file),
        fine("TLS_KEY_FILE", &own.tls_key_file),
        fine("TLS_CLIENT_CA_FILE", &own.tls_client_ca_file),
    );
    for file in found {
        reader.problem(file.variable, Some(&file.path), &file.wrong, file.remedy);
    }
}

/// Binds for a moment each address whose setting is fine.
pub(super) fn addresses(reader: &mut Reader, settings: &Settings) {
    let own = &settings.listen;
    let main = SocketAddr::new(own.host, own.port);
    try_out(reader, &["PORT", "BIND_HOST"], main, bind);
    if let Some(port) = own.udp_port {
        let udp = |address| UdpSocket::bind(address).map(drop);
        try_out(reader, &["UDP_PORT", "BIND_HOST"], SocketAddr::new(own.host, port), udp);
    }
    if let Some(admin) = &settings.admin {
        try_out(reader, &["ADMIN_ADDR"], admin.addr, bind);
    }
}

/// Binds, and does not listen: whoever connected meanwhile would be cut off, with what was sent.
/// Connections of an earlier process that linger are in nobody's way, as for the listener.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn try_out(
    reader: &mut Reader,
    variables: &[&'static str],
    address: SocketAddr,
    bind: impl Fn(SocketAddr) -> io::Result<()>,
) {
    let (Some(variable), true) = (variables.first(), reader.are_fine(variables)) else { return };
    if let Err(error) = bind(address) {
        let wrong = format!("cannot be listened at ({error})");
        reader.problem(variable, Some(&address.to_string()), &wrong, remedy(&error));
    }
}
