//! A person at the dashboard, with a browser without JavaScript: opens pages, sends their forms.
//!
//! Reads a page as text between tags, which is enough to see what it says and offers. What a real
//! browser makes of a page others test. Never sends what no page offers.

use super::{Answer, Harness, answer};

/// A person at the dashboard.
pub(crate) struct Person<'g> {
    gateway: &'g Harness,
    /// What the browser sends with each request.
    cookie: Option<String>,
}

/// A page as a person sees it.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) html: String,
}

impl Harness {
    /// A person at this machine, for whom the port asks for no token.
    pub(crate) fn person(&self) -> Person<'_> {
        Person { gateway: self, cookie: None }
    }

    /// A person who has signed in with a token: `hgt_...`.
    pub(crate) async fn signed_in(&self, token: &str) -> Person<'_> {
        let begin = self.client().post(format!("{}/v1/session", self.admin()));
        let begun = answer(begin.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(begun.status, 201, "{}", begun.body);
        let cookie = begun.headers["set-cookie"].to_str().expect("it is text");
        let cookie = cookie.split(';').next().map(str::to_owned);
        Person { gateway: self, cookie }
    }
}

impl Person<'_> {
    /// Opens the page at a path.
    pub(crate) async fn open(&self, path: &str) -> Page {
        let get = self.gateway.client().get(format!("{}{path}", self.gateway.admin()));
        self.send(get.header("accept", "text/html")).await
    }

    /// Sends the form of a page that goes to this path, with what stands in it already and with
    /// these fields, and gives the page that follows.
    pub(crate) async fn submit(&self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let form = page.form(action).unwrap_or_else(|| panic!("no form to {action} in {page:?}"));
        let kept = standing(form);
        let kept = kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let kept = kept.filter(|(name, _)| !fields.iter().any(|(other, _)| other == name));
        let body = encoded(kept.chain(fields.iter().copied()));
        let post = self.gateway.client().post(format!("{}{action}", self.gateway.admin()));
        let post = post.header("content-type", "application/x-www-form-urlencoded").body(body);
        self.send(post.header("origin", self.gateway.admin())).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let request = match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        };
        // It goes on to where it is led, as a browser does.
        let Answer { status, headers, body } = answer(request).await;
        Page { status, headers, html: body }
    }
}

impl Page {
    /// What stands between the tags, with one blank in place of many.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut rest = self.html.as_str();
        while let Some((before, tag)) = rest.split_once('<') {
            text.push_str(before);
            text.push(' ');
            rest = tag.split_once('>').map_or("", |(_, rest)| rest);
        }
        text.push_str(rest);
        plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Checks that the page is there and says this.
    #[track_caller]
    pub(crate) fn says(&self, said: &str) -> &Self {
        let text = self.text();
        assert_eq!(self.status, 200, "{text}");
        assert!(text.contains(said), "no `{said}` in: {text}");
        self
    }

    /// Whether there is a form that goes to this path.
    pub(crate) fn offers(&self, action: &str) -> bool {
        self.form(action).is_some()
    }

    /// The addresses of all links.
    pub(crate) fn links(&self) -> Vec<String> {
        let parts = self.html.split("href=\"").skip(1);
        parts.map(|part| plain(part.split('"').next().unwrap_or_default())).collect()
    }

    fn form(&self, action: &str) -> Option<&str> {
        let wanted = format!("action=\"{action}\"");
        let mut forms = self.html.split("<form").skip(1);
        let found =
            forms.find(|form| form.split('>').next().is_some_and(|it| it.contains(&wanted)));
        found.map(|form| form.split("</form>").next().unwrap_or_default())
    }
}

/// What stands in a form: hidden and seen fields, boxes that are checked, and what is chosen.
fn standing(form: &str) -> Vec<(String, String)> {
    let inputs = form.split("<input").skip(1).filter_map(|input| input.split('>').next());
    let is_box =
        |input: &str| ["checkbox", "radio"].iter().any(|it| attribute(input, "type") == *it);
    let sent = inputs.filter(|input| !is_box(input) || input.contains(" checked"));
    let mut fields: Vec<_> =
        sent.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect();
    for area in form.split("<textarea").skip(1) {
        let (tag, text) = area.split_once('>').unwrap_or_default();
        let text = text.split("</textarea>").next().unwrap_or_default();
        // A browser leaves out a line break that stands first.
        fields.push((attribute(tag, "name"), plain(text.strip_prefix('\n').unwrap_or(text))));
    }
    for select in form.split("<select").skip(1) {
        let (tag, options) = select.split_once('>').unwrap_or_default();
        let options = options.split("</select>").next().unwrap_or_default();
        let options = options.split("<option").skip(1).filter_map(|it| it.split('>').next());
        let options: Vec<_> = options.collect();
        let chosen = options.iter().find(|option| option.contains(" selected"));
        if let Some(option) = chosen.or(options.first()) {
            fields.push((attribute(tag, "name"), attribute(option, "value")));
        }
    }
    fields.retain(|(name, _)| !name.is_empty());
    fields
}

/// The value of an attribute in what stands within a tag; empty if there is none.
fn attribute(tag: &str, name: &str) -> String {
    let after = tag.split(&format!(" {name}=\"")).nth(1);
    plain(after.and_then(|after| after.split('"').next()).unwrap_or_default())
}

/// What a browser shows of escaped text.
fn plain(escaped: &str) -> String {
    let signs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    signs.iter().fold(escaped.to_owned(), |text, (sign, char)| text.replace(sign, char))
}

/// Fields as a browser sends them.
fn encoded<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>) -> String {
    let encode = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs = fields.map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
