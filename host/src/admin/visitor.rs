//! What asks at the operators' port: a program of theirs, or a page in the browser of one.
//!
//! A browser on this machine reaches loopback, and where the port asks for no token that would be
//! enough. So what a page of somebody else could send is refused: a request that the browser says
//! comes from another site, and one that was sent to a name that is not this port's (a page whose
//! name was pointed at this address). The form that it could post is refused by its content type.
//! Never looks at a path, except that probes may come under any name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::Host;

use super::problem::{Kind, Problem};
use super::{Admin, routes};

/// A browser says where a request comes from.
const FETCH_SITE: &str = "sec-fetch-site";

/// Under which names the port answers.
#[derive(Debug, Clone, Copy)]
struct Names<'n> {
    /// Those that the operator has configured.
    own: &'n [String],
    /// Whether any address will do: where the port asks for a token, which no page has.
    any_address: bool,
}

/// Lets a request through if no page of another site can have sent it.
pub(super) async fn ours(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    if !routes::is_open(request.uri().path()) {
        let own = admin.hosts.load();
        let names = Names { own: &own, any_address: admin.access.is_needed() };
        if let Err(problem) = check(request.uri(), request.headers(), names) {
            return problem.into_response();
        }
    }
    next.run(request).await
}

fn check(uri: &Uri, headers: &HeaderMap, names: Names<'_>) -> Result<(), Problem> {
    let refused = |kind, reason: &str| Err(Problem::new(kind, reason));
    let mut authorities: Vec<&str> = uri.authority().map(|it| it.as_str()).into_iter().collect();
    for host in headers.get_all(header::HOST) {
        authorities.push(host.to_str().unwrap_or_default());
    }
    if !authorities.iter().all(|authority| is_ours(authority, names)) {
        let reason =
            "the admin port does not answer under this host name; add the name to `admin_hosts`";
        return refused(Kind::ForeignHost, reason);
    }
    let own = ["same-origin", "none"];
    let foreign_site =
        headers.get_all(FETCH_SITE).iter().any(|site| !own.iter().any(|it| site == it));
    let is_own = |origin: &str| {
        let after = origin.split_once("://").map(|(_, authority)| authority);
        after.is_some_and(|origin| authorities.contains(&origin))
    };
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if foreign_site || origins.any(|origin| !origin.to_str().is_ok_and(is_own)) {
        return refused(
            Kind::ForeignPage,
            "the admin port rejects requests from pages of other sites",
        );
    }
    Ok(())
}

/// Whether an authority is this port's: a name or an address of loopback, where a token is asked
/// for any address, or a name that the operator has configured. Whatever the port: it may be
/// forwarded.
fn is_ours(authority: &str, names: Names<'_>) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let is_good = |address: IpAddr| names.any_address || address.to_canonical().is_loopback();
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => is_an_address(host, address.into()) && is_good(address.into()),
        Ok(Host::Ipv6(address)) => is_good(address.into()),
        Ok(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost"
                || name.ends_with(".localhost")
                || names.own.iter().any(|known| known.eq_ignore_ascii_case(name))
        }
        Err(_) => false,
    }
}

/// Written as people write one; what a parser also takes for one is refused with the rest.
fn is_an_address(written: &str, address: IpAddr) -> bool {
    written == address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 1] = ["ops.example"];

    fn is_ours_where(authority: &str, any_address: bool) -> bool {
        let own = OWN.map(str::to_owned);
        is_ours(authority, Names { own: &own, any_address })
    }

    #[test]
    fn names_and_addresses_of_loopback_are_ours_and_others_that_are_configured() {
        for ours in [
            "127.0.0.1:8081",
            "127.8.9.1",
            "localhost:8081",
            "LOCALHOST",
            "[::1]:8081",
            "[::ffff:127.0.0.1]",
            "Ops.Example:1",
        ] {
            assert!(is_ours_where(ours, false) && is_ours_where(ours, true), "{ours}");
        }
        for foreign in
            ["evil.example", "evil.example:8081", "ops.example.evil", "", "0x7f.1", "a b"]
        {
            assert!(!is_ours_where(foreign, false) && !is_ours_where(foreign, true), "{foreign}");
        }
    }

    #[test]
    fn another_address_is_ours_only_where_a_token_is_needed() {
        for address in ["10.0.0.7", "10.0.0.7:8081", "[2001:db8::1]:8081"] {
            assert!(is_ours_where(address, true) && !is_ours_where(address, false), "{address}");
        }
    }
}
