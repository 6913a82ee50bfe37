//! The sockets that the server listens on, and who may come in.

use crate::config::Settings;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Ports that the system proposes until one is free on every address.
const FREE_PORT_TRIES: usize = 16;

/// An address of the directive `bind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    ip: IpAddr,
    /// Written behind `-`: it may be missing on this machine.
    optional: bool,
}

/// Opens a socket for each address of the directive `bind`. With port 0 all of them take a port that
/// is free on each.
///
/// # Errors
/// When there is no address, one is missing that must not be, or the port is taken: the error's kind
/// is the system's, and its text names the address.
pub fn listen(settings: &Settings) -> io::Result<Vec<TcpListener>> {
    let wanted = wanted(&settings.bind)?;
    let mut tries = if settings.port == 0 { FREE_PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match listen_on(&wanted, settings.port) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            result => return result,
        }
    }
}

fn wanted(names: &[String]) -> io::Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for name in names {
        let (name, optional) = match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        match resolve(name) {
            Ok(ip) => wanted.push(Wanted { ip, optional }),
            Err(error) if optional => log::debug!("Not listening on '{name}': {error}"),
            Err(error) => {
                let text = format!("'{name}' is no address to listen on: {error}");
                return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
            }
        }
    }
    // Where the system lets one socket serve both, it is the one of IPv6, and has to come first.
    wanted.sort_by_key(|wanted| wanted.ip != Ipv6Addr::UNSPECIFIED);
    Ok(wanted)
}

fn resolve(name: &str) -> io::Result<IpAddr> {
    match name {
        "*" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        "::*" => Ok(Ipv6Addr::UNSPECIFIED.into()),
        name => match (name, 0).to_socket_addrs()?.next() {
            Some(address) => Ok(address.ip()),
            None => Err(io::ErrorKind::NotFound.into()),
        },
    }
}

fn listen_on(wanted: &[Wanted], mut port: u16) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut serves_all_of_ipv6 = false;
    for Wanted { ip, optional } in wanted {
        match TcpListener::bind((*ip, port)) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
                serves_all_of_ipv6 |= *ip == Ipv6Addr::UNSPECIFIED;
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                // It is we who have it: all of IPv6 comprised all of IPv4.
                if !(serves_all_of_ipv6 && *ip == Ipv4Addr::UNSPECIFIED) {
                    return Err(at(*ip, port, &error));
                }
            }
            Err(error) if *optional => log::debug!("Not listening on {ip}: {error}"),
            Err(error) => return Err(at(*ip, port, &error)),
        }
    }
    if listeners.is_empty() {
        let text = "no address to listen on";
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, text));
    }
    Ok(listeners)
}

/// The error with the address in its text.
fn at(ip: IpAddr, port: u16, error: &io::Error) -> io::Error {
    let address = SocketAddr::from((ip, port));
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

/// An address as the peer knows it: a socket that serves IPv6 and IPv4 shows the latter in disguise.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether protected mode keeps this peer out: there is no password, and it is on another machine.
pub fn is_kept_out(settings: &Settings, peer: IpAddr) -> bool {
    settings.protected_mode && settings.requirepass.is_empty() && !peer.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_mode_keeps_out_others_as_long_as_there_is_no_password() {
        let cases = [
            (true, "", "127.0.0.1", false),
            (true, "", "127.9.9.9", false),
            (true, "", "::1", false),
            (true, "", "::ffff:127.0.0.1", false),
            (true, "", "192.0.2.1", true),
            (true, "", "::ffff:192.0.2.1", true),
            (true, "", "2001:db8::1", true),
            (true, "s3cret", "192.0.2.1", false),
            (false, "", "192.0.2.1", false),
        ];
        for (protected_mode, password, peer, kept_out) in cases {
            let requirepass = password.to_owned();
            let settings = Settings { protected_mode, requirepass, ..Settings::default() };
            assert_eq!(is_kept_out(&settings, peer.parse().unwrap()), kept_out, "{peer}");
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn addresses_are_names_numbers_or_stars() {
        let show = |list: &[&str]| match wanted(&names(list)) {
            Ok(wanted) => wanted
                .iter()
                .map(|wanted| format!("{}{}", if wanted.optional { "-" } else { "" }, wanted.ip))
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.kind().to_string(),
        };
        assert_eq!(show(&["127.0.0.1", "-::1"]), "127.0.0.1 -::1");
        assert_eq!(show(&["*", "-::*"]), "-:: 0.0.0.0");
        assert_eq!(show(&["-not an address", "::1"]), "::1");
        assert_eq!(show(&["not an address"]), io::ErrorKind::AddrNotAvailable.to_string());
    }

    #[test]
    fn a_missing_address_is_an_error_unless_it_is_optional() {
        // 192.0.2.0/24 is for documentation, so no machine has it.
        let settings =
            |bind: &[&str]| Settings { port: 0, bind: names(bind), ..Settings::default() };
        assert_eq!(listen(&settings(&["127.0.0.1", "-192.0.2.1"])).unwrap().len(), 1);
        let error = listen(&settings(&["127.0.0.1", "192.0.2.1"])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
        assert!(error.to_string().contains("192.0.2.1"), "{error}");
        listen(&settings(&["-192.0.2.1"])).unwrap_err();
        listen(&settings(&[])).unwrap_err();
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let bind = names(&["127.0.0.1"]);
        let error = listen(&Settings { port, bind, ..Settings::default() }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    }
}
