//! A sealed segment for the examples: made the same way every time.

use std::io::{self, Write};
use xml_stream_aggregator::event::{FOOTER, HEADER, fields};

/// The event with every trap in it.
pub const TRAPS: &str = include_str!("../../src/upload/encode/traps.xml");

/// Writes `count` events of about `size` bytes each, the trap event first, then some shapes that
/// differ from event to event.
pub fn write(output: &mut impl Write, count: usize, size: usize) -> io::Result<()> {
    output.write_all(HEADER)?;
    writeln!(output, "{TRAPS}")?;
    for number in 1..count {
        writeln!(output, "{}", event(number, size))?;
    }
    output.write_all(FOOTER)
}

fn event(number: usize, size: usize) -> String {
    let mut event = String::from("<EVENT>\n");
    for field in fields::FIELDS.iter().map(|field| field.name) {
        event.push_str(&format!("<{field}>{}</{field}>\n", value(field, number)));
    }
    match number % 5 {
        0 => event.push_str("<cn>a second one</cn>\n"),
        1 => event.push_str(&format!(
            "<siteField{}>new &amp; old</siteField{}>\n",
            number % 7,
            number % 7
        )),
        2 => event.push_str("<CN kind=\"x\">upper</CN>\n"),
        3 => event.push_str("<door><name>North</name><name>South</name></door>\n"),
        _ => event.push_str("<empty/>\n"),
    }
    let missing = size.saturating_sub(event.len() + "<note></note>\n</EVENT>\n".len());
    let words: String =
        "the quick brown fox & the lazy dog ".chars().cycle().take(missing).collect();
    event.push_str(&format!("<note><![CDATA[{words}]]></note>\n</EVENT>"));
    event
}

fn value(field: &str, number: usize) -> String {
    match field {
        "cn" => format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        "plasectrxGatewayDN" => "cn=5bc2f1a0,ou=gateways,dc=plasec".to_owned(),
        "plasectrxPaneldateUTC" | "plasectrxRecdateUTC" => {
            format!("20140610{:06}Z", number % 240_000)
        }
        "plasectrxPointaddress" => format!(" {}", number % 900),
        "plasectrxCardno" => format!(" {:08}", number % 5000),
        "plasectrxEventname" => "Input point in alarm".to_owned(),
        "plasectrxLname" => format!("M\u{fc}ller {} \u{1f6aa}", number % 300),
        "plasectrxIsAlarm" => (number % 2).to_string(),
        "plasectrxSourcename" => format!("Input on subpanel 0 Address {}", number % 64),
        _ if field.len().is_multiple_of(2) => String::new(),
        _ => format!("value {}", number % 10),
    }
}
