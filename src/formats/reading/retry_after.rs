//! Reads how long a provider asks the client to wait: the `retry-after` headers, the rate-limit
//! reset headers, and the delays in the bodies of refusals. The router waits for this time before
//! it tries the key again.

use reqwest::header::HeaderMap;
use std::time::{Duration, SystemTime};

/// A longer wait is cut to this length.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);
/// The headers that say when a used-up rate limit is full again. They count only if no
/// `retry-after` header can be read. Values are such as `6m0s`.
const RESETS: [&str; 2] = ["x-ratelimit-reset-requests", "x-ratelimit-reset-tokens"];

/// The wait that the headers of a refusal ask for, at most six hours. The order is:
/// `retry-after-ms`, `retry-after` in seconds, `retry-after` as a date, and the longest reset. A
/// date in the past is a wait of zero. None if no header can be read.
pub(crate) fn of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = || text("retry-after-ms")?.parse::<f64>().ok().map(|ms| ms / 1_000.0);
    let seconds = || text("retry-after")?.parse::<f64>().ok();
    // Numbers that are negative, infinite or no numbers are ignored.
    let wait = millis().or_else(seconds).and_then(|wait| Duration::try_from_secs_f64(wait).ok());
    let date = || {
        let at = httpdate::parse_http_date(text("retry-after")?).ok()?;
        Some(at.duration_since(now).unwrap_or_default())
    };
    let reset = || RESETS.iter().filter_map(|name| duration(text(name)?)).max();
    wait.or_else(date).or_else(reset).map(|wait| wait.min(LONGEST))
}

/// The wait in the body of a refusal, such as `45.837906927s`, at most six hours.
pub(crate) fn seconds(text: &str) -> Option<Duration> {
    duration(text).map(|wait| wait.min(LONGEST))
}

/// Parses a duration such as `6m0s`, `1.5s` or `12ms`. Each number needs a unit. None if it cannot
/// be parsed.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, 0.0);
    while !rest.is_empty() {
        let at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(at);
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let scale = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    Duration::try_from_secs_f64(total).ok().filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn told(pairs: &[(&str, &str)]) -> Option<u128> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        of(&headers, now).map(|wait| wait.as_millis())
    }

    #[test]
    fn every_way_to_say_it_is_read() {
        assert_eq!(told(&[("retry-after", "2")]), Some(2_000));
        assert_eq!(told(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(told(&[("retry-after", "9"), ("retry-after-ms", "1500")]), Some(1_500));
        assert_eq!(told(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(30_000));
        assert_eq!(told(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(0));
        let resets = [("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")];
        assert_eq!(told(&resets), Some(360_000));
        assert_eq!(told(&[("x-ratelimit-reset-tokens", "12ms")]), Some(12));
    }

    #[test]
    fn nonsense_says_nothing_and_no_wait_is_endless() {
        for text in ["", "soon", "-1", "nan", "inf", "1e400"] {
            assert_eq!(told(&[("retry-after", text)]), None, "{text:?}");
        }
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("retry-after", "1e9")]), Some(LONGEST.as_millis()));
        assert_eq!(told(&[("x-ratelimit-reset-tokens", "5 parsecs")]), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[ -~]{0,40}") {
            let wait = told(&[("retry-after", &text), ("x-ratelimit-reset-tokens", &text)]);
            prop_assert!(wait.is_none_or(|wait| wait <= LONGEST.as_millis()));
        }
    }
}
