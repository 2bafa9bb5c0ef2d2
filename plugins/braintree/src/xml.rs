//! XML as Braintree writes it: elements, attributes with types, texts.
//!
//! It reads no document types, so the only entities are XML's own five and characters by number.
//! It never looks anything up. Depth and count are bounded, and any other document is an error.

use std::fmt::Write;

use hookgate_sdk::json::quoted;

/// Deepest nesting.
const DEPTH_MAX: usize = 32;
/// Most elements in a document.
const ELEMENTS_MAX: usize = 50_000;

/// An element and all in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    /// The attribute `type`: `array`, `integer`, `boolean`, `datetime`.
    kind: Option<String>,
    /// The attribute `nil`.
    nil: bool,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Whether the element has this name; `-` and `_` are the same.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.replace('_', "-") == name
    }

    pub(crate) fn children(&self) -> impl Iterator<Item = &Self> {
        self.children.iter()
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children().find(|child| child.is(name))
    }

    /// The text of the first child of this name; none if it is empty or nil.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let child = self.child(name).filter(|child| !child.nil)?;
        Some(child.text.trim()).filter(|text| !text.is_empty())
    }

    /// The element as JSON. Names are kept; an array becomes a list, and so do children of the same
    /// name.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }

    fn write(&self, json: &mut String) {
        let text = self.text.trim();
        match self.kind.as_deref() {
            _ if self.nil => json.push_str("null"),
            Some("array") => list(json, self.children.iter()),
            _ if !self.children.is_empty() => self.write_object(json),
            Some("integer") if is_integer(text) => json.push_str(text),
            Some("boolean") if matches!(text, "true" | "false") => json.push_str(text),
            _ => json.push_str(&quoted(text)),
        }
    }

    fn write_object(&self, json: &mut String) {
        let mut written: Vec<&str> = Vec::new();
        json.push('{');
        for child in &self.children {
            if written.contains(&child.name.as_str()) {
                continue;
            }
            if !written.is_empty() {
                json.push(',');
            }
            written.push(&child.name);
            // Writing to a string does not fail.
            write!(json, "{}:", quoted(&child.name)).unwrap_or_default();
            let mut alike = self.children.iter().filter(|other| other.name == child.name);
            if alike.clone().count() > 1 {
                list(json, alike);
            } else if let Some(only) = alike.next() {
                only.write(json);
            }
        }
        json.push('}');
    }
}

fn list<'a>(json: &mut String, items: impl Iterator<Item = &'a Element>) {
    json.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            json.push(',');
        }
        item.write(json);
    }
    json.push(']');
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !leading && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The one element of a document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, String> {
    let text = str::from_utf8(bytes).map_err(|_| "the XML is not UTF-8".to_owned())?;
    // In UTF-8 a byte order mark means nothing.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, at: 0, elements: 0 };
    reader.skip_misc()?;
    let element = reader.element(0)?;
    reader.skip_misc()?;
    if reader.at == text.len() { Ok(element) } else { Err(reader.wrong("text after the end")) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    elements: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &str) -> String {
        format!("invalid XML: {what} at byte {}", self.at)
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Skips `mark` if it is next.
    fn take(&mut self, mark: &str) -> bool {
        let there = self.rest().starts_with(mark);
        if there {
            self.at += mark.len();
        }
        there
    }

    /// Reads the text up to `mark`, and skips `mark`.
    fn until(&mut self, mark: &str) -> Result<&'a str, String> {
        let rest = self.rest();
        let end = rest.find(mark).ok_or_else(|| self.wrong(&format!("no `{mark}`")))?;
        self.at += end + mark.len();
        Ok(&rest[..end])
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
    }

    /// Spaces, declarations and comments.
    fn skip_misc(&mut self) -> Result<(), String> {
        loop {
            self.space();
            if self.take("<?") {
                self.until("?>")?;
            } else if self.take("<!--") {
                self.until("-->")?;
            } else {
                return Ok(());
            }
        }
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        let end = rest.find(|c| !known(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.wrong("no name"));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn element(&mut self, depth: usize) -> Result<Element, String> {
        self.elements += 1;
        if depth > DEPTH_MAX || self.elements > ELEMENTS_MAX {
            return Err(self.wrong("too many elements"));
        }
        if !self.take("<") {
            return Err(self.wrong("no element"));
        }
        let name = self.name()?;
        let mut element = Element { name: name.to_owned(), ..Element::default() };
        loop {
            self.space();
            if self.take("/>") {
                return Ok(element);
            }
            if self.take(">") {
                break;
            }
            self.attribute(&mut element)?;
        }
        self.content(&mut element, depth)?;
        if self.name()? != name {
            return Err(self.wrong("the end of another element"));
        }
        self.space();
        if self.take(">") { Ok(element) } else { Err(self.wrong("no `>`")) }
    }

    fn attribute(&mut self, element: &mut Element) -> Result<(), String> {
        let name = self.name()?;
        self.space();
        if !self.take("=") {
            return Err(self.wrong("an attribute without a value"));
        }
        self.space();
        let quote = if self.take("\"") { "\"" } else { "'" };
        if quote == "'" && !self.take("'") {
            return Err(self.wrong("a value without quotes"));
        }
        let written = self.until(quote)?;
        let value = self.unescaped(written)?;
        match name {
            "type" => element.kind = Some(value),
            "nil" => element.nil = value == "true",
            _ => (),
        }
        Ok(())
    }

    /// Reads the content up to the name in the element's end.
    fn content(&mut self, element: &mut Element, depth: usize) -> Result<(), String> {
        loop {
            let end =
                self.rest().find('<').ok_or_else(|| self.wrong("an element without an end"))?;
            let text = &self.rest()[..end];
            element.text += &self.unescaped(text)?;
            self.at += end;
            if self.take("</") {
                return Ok(());
            } else if self.take("<!--") {
                self.until("-->")?;
            } else if self.take("<![CDATA[") {
                element.text += self.until("]]>")?;
            } else {
                element.children.push(self.element(depth + 1)?);
            }
        }
    }

    fn unescaped(&self, text: &str) -> Result<String, String> {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('&') {
            plain.push_str(before);
            let (name, after) =
                after.split_once(';').ok_or_else(|| self.wrong("an entity without `;`"))?;
            let character = entity(name).ok_or_else(|| self.wrong("an unknown entity"))?;
            plain.push(character);
            rest = after;
        }
        plain.push_str(rest);
        Ok(plain)
    }
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::Json;

    use super::*;

    const WHOLE: &str = "<?xml version=\"1.0\"?>\n<!-- x --><a b='1'>\n  \
        <id>x &amp; &#x41;&#66;</id>\n  \
        <n type=\"integer\">12</n><t type=\"boolean\">true</t><z nil=\"true\"/>\n  \
        <items type=\"array\"><item><k_1>1</k_1></item><item/></items>\n  \
        <c><![CDATA[<&>]]></c><d>1</d><d>2</d><e></e>\n</a>\n";

    #[test]
    fn a_document_becomes_json() {
        let element = parse(WHOLE.as_bytes()).unwrap();
        let expected = concat!(
            r#"{"id":"x & AB","n":12,"t":true,"z":null,"items":[{"k_1":"1"},""],"#,
            r#""c":"<&>","d":["1","2"],"e":""}"#,
        );
        assert_eq!(element.to_json(), expected);
        assert!(element.is("a") && element.text("id") == Some("x & AB"));
        assert_eq!(
            (element.text("z"), element.text("e"), element.text("gone")),
            (None, None, None)
        );
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        assert_eq!(parse("\u{feff}<a>1</a>".as_bytes()), parse(b"<a>1</a>"));
    }

    #[test]
    fn a_number_is_one_only_if_json_has_it() {
        for text in ["007", "1.5", "", "-", "1e3", "٣"] {
            let document = format!("<n type=\"integer\">{text}</n>");
            assert_eq!(parse(document.as_bytes()).unwrap().to_json(), format!("\"{text}\""));
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        for text in [
            "",
            "text",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a b=1/>",
            "<a b/>",
            "<a>&unknown;</a>",
            "<a>&#xd800;</a>",
            "<a>&amp</a>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<a><!DOCTYPE b></a>",
            deep.as_str(),
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn any_cut_and_any_change_is_json_or_an_error() {
        let whole = WHOLE.as_bytes();
        for at in 0..whole.len() {
            drop(parse(&whole[..at]));
            for byte in [b'<', b'>', b'&', b';', b'/', b'"', 0, 0xff] {
                let mut changed = whole.to_vec();
                changed[at] = byte;
                if let Ok(element) = parse(&changed) {
                    let json = element.to_json();
                    assert!(Json::parse(json.as_bytes()).is_ok(), "{json}");
                }
            }
        }
    }
}
