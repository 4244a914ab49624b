//! Calls are read back byte for byte, and take little space where requests repeat each other.

use super::samples::*;
use super::*;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    AnsweredCalls, AttemptNumber, CallPosition, CallRecord, Fault, FaultKind, HttpExchange, Money,
    Usage, request_digest,
};
use synthd_actors::ports::CallArchive;

pub(super) fn call(turn: u32, request: Vec<u8>) -> CallRecord {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    CallRecord {
        place: CallPosition {
            campaign: name("c"),
            episode: id("c", 0),
            attempt: AttemptNumber(1),
            turn,
            retry: 0,
        },
        model: "local/m".to_owned(),
        provider: Some("local KEY".to_owned()),
        why: "fallback from local/n: outage".to_owned(),
        answered_by: Some("m-2".to_owned()),
        usage: Some(Usage { cached_tokens: Some(3), ..Usage::of(10, 2) }),
        cost: Money::from_nanos(7),
        fault: Some(Fault::new(FaultKind::ModelTransient, "cut")),
        at_ms: 5,
        exchange: HttpExchange {
            url: "http://h/v1/chat/completions".to_owned(),
            dialect: "openai".to_owned(),
            request_headers: vec![header("accept", "x")],
            request,
            status: Some(200),
            response_headers: vec![header("a", "b"), header("a", "c")],
            response: vec![0xff, 0, turn as u8],
            first_byte: Some(Duration::from_micros(1_500)),
            last_byte: Some(Duration::from_micros(2_500)),
        },
    }
}

/// What an agent sends at a turn: all that was said, between what never changes.
fn request(turn: u32) -> Vec<u8> {
    let mut noise = 1u64;
    let mut body = b"{\"messages\":[".to_vec();
    for _ in 0..=turn {
        for _ in 0..4_000 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            body.push(b'a' + (noise >> 60) as u8);
        }
    }
    body.extend_from_slice(b"],\"tools\":[1]}");
    body
}

#[tokio::test]
async fn calls_are_kept_byte_for_byte_and_their_repetitions_once() {
    let (dir, store) = started(1).await;
    let calls: Vec<CallRecord> = (0..80).map(|turn| call(turn, request(turn))).collect();
    for call in &calls[..70] {
        keep(&store, JournalEntry::Called(Arc::new(call.clone()))).await;
    }
    drop(store);
    // One that knows nothing of what was sent before.
    let store = Store::open(dir.path()).unwrap();
    for call in &calls[70..] {
        keep(&store, JournalEntry::Called(Arc::new(call.clone()))).await;
    }
    for call in &calls {
        assert_eq!(store.call(&call.place.id()).await.unwrap().as_ref(), Some(call));
    }
    let lines = store.calls("ep-c-0/1/").await.unwrap();
    let sent: u64 = lines.iter().map(|line| line.request_bytes).sum();
    assert_eq!((lines.len(), lines[3].id.as_str()), (80, "ep-c-0/1/3/0"));
    assert!(store.calls("ep-c-1").await.unwrap().is_empty());
    store.barrier().await.unwrap();
    drop(store);
    let kept = std::fs::metadata(dir.path().join("synthd.db")).unwrap().len();
    assert!(kept * 8 < sent, "{kept} of {sent}");
}

#[tokio::test]
async fn a_call_is_kept_with_its_settlement_or_not_at_all() {
    let (_dir, store) = started(1).await;
    let stranger = CallRecord {
        place: CallPosition { campaign: name("other"), ..call(0, Vec::new()).place },
        ..call(0, Vec::new())
    };
    let entries = vec![turn("c", 0, 1, 0, 10), JournalEntry::Called(Arc::new(stranger))];
    store.append(entries).await.unwrap_err();
    assert_eq!(store.episodes(&name("c")).await.unwrap()[0].steps, 0);
    // What was never kept is nothing to go by.
    keep(&store, JournalEntry::Called(Arc::new(call(1, request(1))))).await;
    assert_eq!(store.call("ep-c-0/1/1/0").await.unwrap(), Some(call(1, request(1))));
}

/// A resend is the same call however it is packed; another one would be lost without a word.
#[tokio::test]
async fn a_call_may_be_sent_again_and_another_by_its_id_is_refused() {
    let (_dir, store) = started(1).await;
    let first = call(1, request(1));
    for turn in 0..3 {
        keep(&store, JournalEntry::Called(Arc::new(call(turn, request(turn))))).await;
    }
    keep(&store, JournalEntry::Called(Arc::new(first.clone()))).await;
    let dearer = CallRecord { cost: Money::from_nanos(8), ..first.clone() };
    let uncounted = CallRecord { usage: None, ..first.clone() };
    let mut answered = first.clone();
    answered.exchange.response = vec![0xff, 1, 1];
    for other in [dearer, uncounted, answered, call(1, request(2))] {
        let other = CallRecord { place: first.place.clone(), ..other };
        let fault = store.append(vec![JournalEntry::Called(Arc::new(other))]).await.unwrap_err();
        assert!(fault.message.contains("another call by the id ep-c-0/1/1/0"), "{fault}");
    }
    assert_eq!(store.call("ep-c-0/1/1/0").await.unwrap(), Some(first));
}

/// A replay reads all answered calls page by page, and later only the new ones.
#[tokio::test]
async fn what_was_answered_is_read_on_from_where_it_was_left() {
    let (_dir, store) = started(1).await;
    let answered = |turn| CallRecord { fault: None, ..call(turn, request(turn)) };
    let found = async |after| store.answered(&name("c"), "local/m", after).await.unwrap();
    assert_eq!(found(0).await, AnsweredCalls::default());
    keep(&store, JournalEntry::Called(Arc::new(answered(0)))).await;
    // A call that failed without an answer, and a call of another model.
    keep(&store, JournalEntry::Called(Arc::new(call(1, request(1))))).await;
    let other = CallRecord { model: "local/n".to_owned(), ..answered(2) };
    keep(&store, JournalEntry::Called(Arc::new(other))).await;
    let first = found(0).await;
    let call_of = async |found: &AnsweredCalls| {
        let [(digest, key)] = found.calls[..] else { panic!("{found:?}") };
        (digest, store.call_at(key).await.unwrap())
    };
    assert_eq!(call_of(&first).await, (request_digest(&request(0)), Some(answered(0))));
    // The third is of the next page.
    let second = found(first.until).await;
    assert_eq!((first.until, &second), (2, &AnsweredCalls { calls: Vec::new(), until: 3 }));
    assert_eq!(found(second.until).await, second, "it ends where it began");
    keep(&store, JournalEntry::Called(Arc::new(answered(3)))).await;
    let since = found(second.until).await;
    assert_eq!(call_of(&since).await, (request_digest(&request(3)), Some(answered(3))));
}

/// An answered call at its whole hold is the agent's; a call without an answer is not.
#[tokio::test]
async fn what_was_spent_without_an_answer_is_known_apart() {
    let (_dir, store) = started(1).await;
    let failed = CallRecord { usage: None, ..call(0, request(0)) };
    let answered = CallRecord { fault: None, usage: None, ..call(1, request(1)) };
    for (record, nanos) in [(failed, 100), (answered, 20)] {
        let hold = record.place.id();
        keep(&store, held(&hold, "c", 0, nanos)).await;
        keep(&store, settled(&hold, nanos)).await;
        keep(&store, JournalEntry::Called(Arc::new(record))).await;
    }
    // The process was killed before the answer came.
    keep(&store, held("open", "c", 0, 3)).await;
    let spending = store.spending(&name("c"), 0).await.unwrap();
    assert_eq!(spending.episodes, [(id("c", 0), Money::from_nanos(123))].into());
    assert_eq!(spending.unanswered, [(id("c", 0), Money::from_nanos(103))].into());
}
