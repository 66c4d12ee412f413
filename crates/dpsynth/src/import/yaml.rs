//! YAML as descriptions of tables use it: maps, lists and scalars. Anchors are refused, because a
//! few lines of them can stand for more than fits into memory.

use saphyr_parser::{Event, Parser};

/// A YAML value. Scalars keep their text: which of them are numbers, the reader of a key knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A text, a number, a flag.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file, without a key twice.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Returns the entries of a map.
    pub(super) fn entries(&self) -> Option<&[(String, Node)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&Node> {
        let entry = self.entries()?.iter().find(|(name, _)| name == key)?;
        Some(&entry.1)
    }

    /// Returns the text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads the one document of a YAML text, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut events = Parser::new_from_str(text);
    let mut document = None;
    while let Some(event) = events.next_event() {
        let (event, span) = event.map_err(|error| error.to_string())?;
        match event {
            Event::DocumentStart(_) if document.is_some() => {
                return Err(at("a second document", &span));
            }
            Event::DocumentStart(_) => {
                let (first, span) = next(&mut events)?;
                document = Some(node(&mut events, first, &span, 0)?);
            }
            _ => {}
        }
    }
    document.ok_or_else(|| "it is empty".to_owned())
}

type Events<'a> = Parser<'a, saphyr_parser::StrInput<'a>>;

fn next<'a>(events: &mut Events<'a>) -> Result<(Event<'a>, saphyr_parser::Span), String> {
    let event = events.next_event().ok_or("it ends in the middle")?;
    event.map_err(|error| error.to_string())
}

fn node<'a>(
    events: &mut Events<'a>,
    event: Event<'a>,
    span: &saphyr_parser::Span,
    depth: usize,
) -> Result<Node, String> {
    if depth > DEEPEST {
        return Err(at("more than a few levels", span));
    }
    match event {
        Event::Scalar(text, ..) => Ok(Node::Scalar(text.into_owned())),
        Event::SequenceStart(..) => {
            let mut list = Vec::new();
            loop {
                match next(events)? {
                    (Event::SequenceEnd, _) => return Ok(Node::List(list)),
                    (event, span) => list.push(node(events, event, &span, depth + 1)?),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut map: Vec<(String, Node)> = Vec::new();
            let mut seen = std::collections::BTreeSet::new();
            loop {
                let key = match next(events)? {
                    (Event::MappingEnd, _) => return Ok(Node::Map(map)),
                    (Event::Scalar(key, ..), span) => {
                        if !seen.insert(key.clone().into_owned()) {
                            return Err(at("a key that stands there twice", &span));
                        }
                        key.into_owned()
                    }
                    (_, span) => return Err(at("a key that is no text", &span)),
                };
                let (event, span) = next(events)?;
                map.push((key, node(events, event, &span, depth + 1)?));
            }
        }
        Event::Alias(_) => Err(at("an alias, which is not read", span)),
        _ => Err(at("something unexpected", span)),
    }
}

fn at(what: &str, span: &saphyr_parser::Span) -> String {
    format!("line {} has {what}", span.start.line())
}

/// Deeper nesting than this has no meaning in any format that is read.
const DEEPEST: usize = 16;
