//! `/`: the facts of `/api/status` in words, as a page without scripts that renews itself.

use super::status::Status;
use crate::base::units::Size;
use std::fmt::Write;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;\
border-bottom:1px solid #ddd;font-weight:400}th{color:#666}td.n,th.n{text-align:right}\
td{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}.facts th{width:12rem}\
.sum{display:flex;flex-wrap:wrap;gap:.5rem 1.2rem;align-items:flex-end;margin:1.5rem 0}\
.sum b{display:block;font-size:1.8rem;line-height:1.2;font-variant-numeric:tabular-nums}\
.sum span{color:#666}.sum i{font:1.8rem/1.2 system-ui;color:#999;padding-bottom:1.5rem}\
.ok,.bad{padding:.6rem 1rem;border-radius:.4rem;font-weight:600}ul{padding:0;list-style:none}\
.ok{color:#0a6b2d;background:#e8f5ec}.bad{color:#a8071a;background:#fdeceb;margin:.4rem 0}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}\
a{color:#8ab4f8}th,.sum span{color:#aaa}.ok{color:#5bd68a;background:#12301d}\
.bad{color:#ff8a80;background:#3a1715}}";

/// The page.
#[must_use]
pub fn render(status: &Status) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"refresh\" content=\"5\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>xml-stream-aggregator on {name}</title><style>{STYLE}</style></head><body>\
         <h1>xml-stream-aggregator on {name}</h1>",
        name = text(&status.instance)
    );
    page.push_str(&verdict(status));
    page.push_str(&ledger(status));
    page.push_str(&facts("Spool", &spool(status)));
    page.push_str(&facts("Store", &store(status)));
    page.push_str(&connections(status));
    let _infallible = write!(
        page,
        "<p>Version {}, up {}. Also here: <a href=\"/api/status\">/api/status</a>, \
         <a href=\"/metrics\">/metrics</a>, <a href=\"/readyz\">/readyz</a>.</p></body></html>",
        text(&status.version),
        span(status.uptime_s)
    );
    page
}

fn verdict(status: &Status) -> String {
    let troubles = status.troubles();
    if troubles.is_empty() {
        return "<p class=\"ok\">All is well: events are taken and delivered.</p>".into();
    }
    let items = troubles.iter().map(|t| format!("<li class=\"bad\">{}</li>", text(t)));
    format!("<ul>{}</ul>", items.collect::<String>())
}

fn facts(title: &str, rows: &[(&str, String)]) -> String {
    let rows = rows
        .iter()
        .map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>", text(value)));
    format!("<h2>{title}</h2><table class=\"facts\">{}</table>", rows.collect::<String>())
}

/// The ledger as the sum that it is. What the disk lost is shown only where it lost something.
fn ledger(status: &Status) -> String {
    let ledger = status.ledger;
    let term = |sign: &str, value: u64, name: &str| {
        format!("<i>{sign}</i><div><b>{}</b><span>{name}</span></div>", number(value))
    };
    let mut sum = term("", ledger.received, "received");
    sum.push_str(&term("=", ledger.delivered, "delivered"));
    sum.push_str(&term("+", ledger.quarantined, "quarantined"));
    sum.push_str(&term("+", ledger.spooled, "waiting on disk"));
    if ledger.damaged > 0 {
        sum.push_str(&term("+", ledger.damaged, "lost by the disk"));
    }
    format!("<div class=\"sum\">{}</div>", sum.replace("<i></i>", ""))
}

fn spool(status: &Status) -> [(&'static str, String); 4] {
    let spool = &status.spool;
    [
        ("On disk", format!("{} of {}", Size(spool.bytes).about(), Size(spool.max_bytes).about())),
        ("Segments waiting", number(spool.segments)),
        ("Oldest waits for", spool.oldest_age_s.map_or_else(|| "–".into(), span)),
        ("Reading", if spool.paused { "stopped".into() } else { "goes on".into() }),
    ]
}

fn store(status: &Status) -> [(&'static str, String); 4] {
    let uploads = &status.uploads;
    let dash = || String::from("–");
    [
        ("Destination", status.destination.clone()),
        ("On its way", number(uploads.in_flight)),
        ("Last object", uploads.last_object.clone().unwrap_or_else(dash)),
        ("Stored at", uploads.last_object_at.map_or_else(dash, |at| format!("{at:.0}"))),
    ]
}

fn connections(status: &Status) -> String {
    if status.connections.is_empty() {
        let listening = text(&status.listening.join(", "));
        return format!("<h2>Connections</h2><p>Nobody is connected to {listening}.</p>");
    }
    let rows = status.connections.iter().map(|c| {
        let cells =
            [number(c.events), number(c.rejected), number(c.bytes), span(c.idle_s), span(c.age_s)];
        let cells = cells.map(|cell| format!("<td class=\"n\">{cell}</td>")).concat();
        format!("<tr><td>{}</td>{cells}</tr>", text(&c.peer))
    });
    let names = ["Events", "Rejected", "Bytes", "Silent for", "Open for"];
    let heads = names.map(|name| format!("<th class=\"n\">{name}</th>")).concat();
    let rows = rows.collect::<String>();
    format!("<h2>Connections</h2><table><tr><th>Peer</th>{heads}</tr>{rows}</table>")
}

/// Digits in groups of three.
fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Seconds as people say them.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

fn text(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(12), "12");
        assert_eq!(span(59), "59 s");
        assert_eq!(span(90_061), "1 d 1 h");
    }

    #[test]
    fn the_ledger_is_shown_as_a_sum_and_damage_only_if_there_is_some() {
        let mut status = Status::default();
        status.ledger.received = 1_200;
        status.ledger.delivered = 1_150;
        status.ledger.spooled = 50;
        let page = render(&status);
        assert!(page.contains("<b>1,200</b><span>received"), "{page}");
        assert!(page.contains("<i>+</i><div><b>50</b>"), "{page}");
        assert!(!page.contains("lost by the disk"), "{page}");
        status.ledger.damaged = 1;
        assert!(render(&status).contains("<b>1</b><span>lost by the disk"));
    }

    #[test]
    fn nothing_in_the_status_becomes_markup() {
        let status = Status { instance: "<script>alert(1)</script>".into(), ..Status::default() };
        assert!(!render(&status).contains("<script>"));
    }
}
