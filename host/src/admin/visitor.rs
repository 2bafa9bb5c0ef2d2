//! Who asks at the operators' port: a program of the operator, or a page in the operator's browser.
//!
//! There are no passwords here, so what a page of somebody else could send is refused: a request
//! that the browser says comes from another site, one that was sent to a name that is not this
//! port's (a page whose name was pointed at this address), and a POST of a form. Never looks at a
//! path, except that `/healthz` says nothing and may be asked by anybody.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::Host;

use super::{Admin, Problem};
use crate::listener::Connection;

/// A browser says where a request comes from.
const FETCH_SITE: &str = "sec-fetch-site";

/// Lets a request through if no page of another site can have sent it.
pub(super) async fn ours(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let anybodys = request.uri().path() == "/healthz";
    let method = request.method();
    let uri = request.uri();
    let headers = request.headers();
    let names = admin.hosts.load();
    match check(method, uri, headers, &names) {
        Err(problem) if !anybodys => problem.into_response(),
        _ => {
            if let Some(connection) = request.extensions().get::<Arc<Connection>>() {
                connection.accepted();
            }
            next.run(request).await
        }
    }
}

fn check(method: &Method, uri: &Uri, headers: &HeaderMap, names: &[String]) -> Result<(), Problem> {
    let refused = |status, reason: &str| Err(Problem::new(status, reason));
    let mut authorities: Vec<&str> = uri.authority().map(|it| it.as_str()).into_iter().collect();
    for host in headers.get_all(header::HOST) {
        authorities.push(host.to_str().unwrap_or_default());
    }
    if !authorities.iter().all(|authority| is_ours(authority, names)) {
        let reason =
            "the admin port does not answer under this host name; add the name to `admin_hosts`";
        return refused(StatusCode::MISDIRECTED_REQUEST, reason);
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
            StatusCode::FORBIDDEN,
            "the admin port rejects requests from pages of other sites",
        );
    }
    if *method == Method::POST && !is_json(headers) {
        let reason = "the content type of a POST must be application/json";
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason);
    }
    Ok(())
}

/// Whether an authority is this port's: an address, which nobody else can point elsewhere, a name
/// of the loopback, or a name that the operator has configured. Whatever the port: it may be
/// forwarded.
fn is_ours(authority: &str, names: &[String]) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => is_an_address(host, address.into()),
        Ok(Host::Ipv6(_)) => true,
        Ok(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost"
                || name.ends_with(".localhost")
                || names.iter().any(|known| known.eq_ignore_ascii_case(name))
        }
        Err(_) => false,
    }
}

/// Written as people write one; what a parser also takes for one is refused with the rest.
fn is_an_address(written: &str, address: IpAddr) -> bool {
    written == address.to_string()
}

/// JSON, or no body at all.
fn is_json(headers: &HeaderMap) -> bool {
    match headers.get(header::CONTENT_TYPE) {
        Some(value) => {
            let value = value.to_str().unwrap_or_default();
            let media = value.split(';').next().unwrap_or_default().trim();
            media.eq_ignore_ascii_case("application/json")
        }
        None => {
            let length = headers.get(header::CONTENT_LENGTH);
            let is_empty = length.is_none_or(|length| length == "0");
            is_empty && !headers.contains_key(header::TRANSFER_ENCODING)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_the_names_of_loopback_are_ours() {
        let names = ["ops.example".to_owned()];
        for ours in [
            "127.0.0.1:8081",
            "localhost:8081",
            "LOCALHOST",
            "[::1]:8081",
            "10.0.0.7",
            "Ops.Example:1",
        ] {
            assert!(is_ours(ours, &names), "{ours}");
        }
        for foreign in
            ["evil.example", "evil.example:8081", "ops.example.evil", "", "0x7f.1", "a b"]
        {
            assert!(!is_ours(foreign, &names), "{foreign}");
        }
    }
}
