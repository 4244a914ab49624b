//! Parses the head of a request that a program in a sandbox sends to the egress proxy.
//!
//! A program can ask a proxy for two things:
//!
//! ```text
//! CONNECT pypi.org:443 HTTP/1.1                     a connection to the host, usually for TLS
//! GET http://deb.debian.org/debian/ HTTP/1.1        one plain request that the proxy forwards
//! ```
//! For a plain request, the proxy writes a new head. The new head names the host of the target
//! line, whatever the `Host` header said, because the allow-list was asked for the host of the
//! target. Everything that is not clear is refused with 400: two readers of an unclear request
//! could understand two different requests (request smuggling).

use super::body::RemainingBody;
use std::fmt::Write;

/// The most bytes of a request's head, with all its lines.
pub(super) const MAX_HEAD: usize = 32 << 10;
/// The most header lines of a request. A request with more is refused as malformed.
const MAX_HEADERS: usize = 128;

/// What a program asks for, after it was checked for its form. Nothing is allowed by this yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProxyRequest {
    /// As the program wrote it: a name of letters, digits, `-`, `.` and `_`; upper case is kept.
    pub(super) host: String,
    pub(super) port: u16,
    /// The head that the host is to be sent first, up to and with the empty line. `None` for
    /// CONNECT, where the program itself sends everything.
    pub(super) head: Option<String>,
    /// How much of the bytes after the head belongs to the request. Empty for CONNECT.
    pub(super) body: RemainingBody,
}

/// Why a request is refused with 400. The text is sent to the program.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MalformedRequest(pub(super) &'static str);

/// Whether the request is addressed to the proxy itself as a server, as in
/// `POST /v1/messages HTTP/1.1`. A request to a proxy has a whole URL or a host as its target;
/// only one to a server begins with a slash.
pub(super) fn is_origin_request(head: &[u8]) -> bool {
    let mut words = head.splitn(3, |byte| *byte == b' ');
    words.nth(1).is_some_and(|target| target.starts_with(b"/"))
}

/// Parses a head, which must end with its empty line. `Err` says what is wrong with it, in words
/// for the program's user.
pub(super) fn parse(head: &[u8]) -> Result<ProxyRequest, MalformedRequest> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed =
        request.parse(head).map_err(|_| MalformedRequest("this is not a request of HTTP/1.1"))?;
    let (Some(method), Some(target), true) = (request.method, request.path, parsed.is_complete())
    else {
        return Err(MalformedRequest("this is not a complete request"));
    };
    if method == "CONNECT" {
        let (host, port) = authority(target, None)?;
        return Ok(ProxyRequest { host, port, head: None, body: RemainingBody::none() });
    }
    let Some(rest) = target.strip_prefix("http://") else {
        return Err(MalformedRequest("this is a proxy: use CONNECT, or an http:// address"));
    };
    let body = body(request.headers)?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (named, path) = rest.split_at(at);
    let (host, port) = authority(named, Some(80))?;
    // `http://host?query` has no path; a request line needs one.
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut passed = format!("{method} {slash}{path} HTTP/1.1\r\nHost: {named}\r\n");
    for header in request.headers.iter().filter(|header| !is_ours(header.name)) {
        let value = std::str::from_utf8(header.value)
            .map_err(|_| MalformedRequest("one of its headers is not text"))?;
        write!(passed, "{}: {value}\r\n", header.name).ok();
    }
    // The host shall close the connection after its answer. The proxy carries one request for
    // each connection, because a second one could be for another host.
    passed.push_str("Connection: close\r\n\r\n");
    Ok(ProxyRequest { host, port, head: Some(passed), body })
}

/// How the length of the body is stated. A request must state it in one way only. With two
/// statements, another reader may believe the other one and read another request.
fn body(headers: &[httparse::Header<'_>]) -> Result<RemainingBody, MalformedRequest> {
    let named = |name: &str| {
        let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect::<Vec<_>>()
    };
    match (named("content-length").as_slice(), named("transfer-encoding").as_slice()) {
        ([], []) => Ok(RemainingBody::none()),
        ([length], []) => {
            // Digits alone: `parse` would accept a plus sign, which other readers may not.
            let digits = length.iter().all(u8::is_ascii_digit).then_some(*length);
            let length = digits.and_then(|digits| std::str::from_utf8(digits).ok());
            let length = length.and_then(|digits| digits.parse().ok());
            length
                .map(RemainingBody::Length)
                .ok_or(MalformedRequest("its Content-Length is malformed"))
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Ok(RemainingBody::chunked()),
        ([], [_]) => Err(MalformedRequest("its Transfer-Encoding is not `chunked`")),
        _ => Err(MalformedRequest("it states its length in more than one way")),
    }
}

/// Headers that the proxy does not forward. They are meant for the proxy itself (`proxy-*`), they
/// are about the connection between the program and the proxy, or the proxy writes them anew
/// (`Host`).
fn is_ours(name: &str) -> bool {
    let ours = ["host", "connection", "keep-alive", "upgrade", "te"];
    let name = name.to_ascii_lowercase();
    ours.contains(&name.as_str()) || name.starts_with("proxy-")
}

/// Splits `NAME:PORT`. `usual` is the port where none is given; without a usual port, the text
/// must give one.
fn authority(text: &str, usual: Option<u16>) -> Result<(String, u16), MalformedRequest> {
    let wrong = || MalformedRequest("the host of the request must have the form NAME:PORT");
    let (host, port) = match (text.rsplit_once(':'), usual) {
        (Some((host, port)), _) => (host, port.parse().map_err(|_| wrong())?),
        (None, Some(port)) => (text, port),
        (None, None) => return Err(wrong()),
    };
    // A user (`user@`) is refused: credentials belong into the request to the host. An IPv6
    // address (`[::1]`) is refused too: only names can be allowed.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if host.is_empty() || !host.chars().all(plain) {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(text: &str) -> Result<ProxyRequest, MalformedRequest> {
        parse(text.as_bytes())
    }

    #[test]
    fn a_connection_is_asked_for_by_name_and_port() {
        let request = asked("CONNECT pypi.org:443 HTTP/1.1\r\nHost: other\r\n\r\n").unwrap();
        let expected = ProxyRequest {
            host: "pypi.org".to_owned(),
            port: 443,
            head: None,
            body: RemainingBody::none(),
        };
        assert_eq!(request, expected);
        for target in ["pypi.org", "[::1]:443", "a@b:443", ":443", "a:x", "a:99999", "a/b:1"] {
            let head = format!("CONNECT {target} HTTP/1.1\r\n\r\n");
            assert!(parse(head.as_bytes()).is_err(), "{target}");
        }
    }

    #[test]
    fn a_plain_request_is_passed_on_as_its_target_says() {
        let request = asked(
            "GET http://Deb.example/a?b HTTP/1.1\r\nHost: inner.example\r\nAccept: x\r\n\
             Proxy-Authorization: secret\r\nConnection: keep-alive\r\n\r\n",
        )
        .unwrap();
        assert_eq!((request.host.as_str(), request.port), ("Deb.example", 80));
        let head =
            "GET /a?b HTTP/1.1\r\nHost: Deb.example\r\nAccept: x\r\nConnection: close\r\n\r\n";
        assert_eq!(request.head.as_deref(), Some(head));
        let bare = asked("GET http://a.example?x HTTP/1.1\r\n\r\n").unwrap().head.unwrap();
        assert!(bare.starts_with("GET /?x HTTP/1.1\r\nHost: a.example\r\n"), "{bare}");
    }

    #[test]
    fn the_length_of_a_body_is_said_in_one_way() {
        let body = |headers: &str| {
            asked(&format!("POST http://a.example/ HTTP/1.1\r\n{headers}\r\n")).map(|r| r.body)
        };
        assert_eq!(body(""), Ok(RemainingBody::none()));
        assert_eq!(body("Content-Length: 5\r\n"), Ok(RemainingBody::Length(5)));
        assert_eq!(body("transfer-encoding: Chunked\r\n"), Ok(RemainingBody::chunked()));
        for headers in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5, 6\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: \r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert!(body(headers).is_err(), "{headers}");
        }
    }

    #[test]
    fn what_is_meant_for_no_proxy_is_not_guessed_at() {
        for target in ["/", "https://a.example/", "ftp://a/", "*", "http://u:p@a/", "http://"] {
            assert!(
                parse(format!("GET {target} HTTP/1.1\r\n\r\n").as_bytes()).is_err(),
                "{target}"
            );
        }
        assert!(asked("GET http://a/ HTTP/1.1\r\nX: y\r\n").is_err(), "it is not whole");
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(parse(&bytes));
        }

        #[test]
        fn no_header_of_the_request_adds_a_line(value in "[ -~]{0,40}") {
            let head = format!("GET http://a.example/ HTTP/1.1\r\nX: {value}\r\n\r\n");
            if let Ok(ProxyRequest { head: Some(head), .. }) = parse(head.as_bytes()) {
                prop_assert_eq!(head.matches("\r\n").count(), 5);
            }
        }
    }
}
