//! Earlier attempts of a cell, as Maven's surefire writes them and Jenkins and others read them.
//!
//! `junit-report` has no element for them, so they are put into what it wrote.

use std::collections::HashMap;

use quick_xml::events::{BytesEnd, BytesStart, Event};
use quick_xml::{Reader, Writer, XmlVersion};

use crate::model::Status;

/// What happened to a case before its last attempt.
pub struct Reruns {
    /// The last attempt was a success.
    pub passed: bool,
    /// Statuses of the attempts before it, oldest first.
    pub earlier: Vec<Status>,
}

/// Adds `<flakyFailure>` (the case passed in the end) or `<rerunFailure>` (it did not) to the
/// cases that `reruns` names by class name and name.
///
/// # Errors
/// The XML does not parse, or has an event this does not know.
pub fn add(
    xml: &[u8],
    reruns: &HashMap<(String, String), Reruns>,
) -> Result<Vec<u8>, quick_xml::Error> {
    if reruns.is_empty() {
        return Ok(xml.to_vec());
    }
    let mut reader = Reader::from_reader(xml);
    let mut writer = Writer::new(Vec::with_capacity(xml.len() + 4096));
    loop {
        let event = reader.read_event()?;
        if event == Event::Eof {
            return Ok(writer.into_inner());
        }
        let case = match &event {
            Event::Start(start) if start.name().as_ref() == b"testcase" => reruns.get(&key(start)?),
            _ => None,
        };
        writer.write_event(event)?;
        if let Some(case) = case {
            for (number, status) in case.earlier.iter().enumerate() {
                write(&mut writer, case.passed, number + 1, *status)?;
            }
        }
    }
}

fn key(start: &BytesStart<'_>) -> Result<(String, String), quick_xml::Error> {
    let value = |name: &str| {
        let attribute = start.try_get_attribute(name)?;
        let value = attribute
            .map(|a| a.normalized_value(XmlVersion::Explicit1_0))
            .transpose()?;
        Ok::<_, quick_xml::Error>(value.map(|v| v.into_owned()).unwrap_or_default())
    };
    Ok((value("classname")?, value("name")?))
}

fn write(
    writer: &mut Writer<Vec<u8>>,
    passed: bool,
    number: usize,
    status: Status,
) -> std::io::Result<()> {
    let error = matches!(status, Status::Infra | Status::Inconclusive);
    let element = match (passed, error) {
        (true, false) => "flakyFailure",
        (true, true) => "flakyError",
        (false, false) => "rerunFailure",
        (false, true) => "rerunError",
    };
    let message = format!("attempt {number} was {status}");
    let start = BytesStart::new(element)
        .with_attributes([("message", message.as_str()), ("type", status.word())]);
    writer.write_event(Event::Start(start))?;
    writer.write_event(Event::End(BytesEnd::new(element)))
}
