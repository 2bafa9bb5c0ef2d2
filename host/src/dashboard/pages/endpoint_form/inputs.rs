//! The inputs of the form: what stands in each, and what is wrong with it.
//!
//! Laid out by the template. What was written into a field for a secret is never given back.

use super::settings::{Kind, Part, SETTINGS, Setting};
use super::written::Written;
use crate::dashboard::Failed;

/// A value to choose, and what it is called.
type Named = (&'static str, &'static str);

/// What goes along with a new endpoint's deliveries, beside a signature.
const CREDENTIALS: [Named; 4] = [
    ("", "None"),
    ("bearer", "A bearer token"),
    ("basic", "A user and a password"),
    ("header", "A header"),
];
/// The same where there may be one already.
const CHANGES: [Named; 3] =
    [("", "As it is"), ("keep", "As it is, at another host too"), ("none", "None from now on")];
const SIGNATURES: [Named; 2] = [("", "HMAC-SHA256 (v1)"), ("v1a", "Ed25519 (v1a)")];

/// One input with its label.
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    pub(super) choices: Vec<Choice>,
    pub(super) is_area: bool,
    pub(super) is_secret: bool,
    pub(super) is_required: bool,
    /// What is wrong with it, if it is what is wrong.
    pub(super) wrong: Option<String>,
}

pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) label: &'static str,
    pub(super) is_chosen: bool,
}

/// Inputs under one title.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) inputs: Vec<Input>,
    /// Whether it is always seen; others are opened.
    pub(super) is_first: bool,
    pub(super) is_open: bool,
}

impl Group {
    fn new(title: &'static str, inputs: Vec<Input>, is_first: bool) -> Self {
        let is_open = inputs.iter().any(|input| input.wrong.is_some());
        Self { title, inputs, is_first, is_open }
    }
}

/// Which form it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A new endpoint; an operator says whose it is.
    New {
        is_operator: bool,
    },
    Edit,
}

/// What was chosen beside the settings, and of which tenant a new endpoint is.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) tenant: String,
    pub(super) credential: String,
    pub(super) credential_name: String,
    pub(super) signature: String,
}

/// What is wrong with the setting of this name.
fn wrong_with(name: &str, problem: Option<&Failed>) -> Option<String> {
    let problem = problem.filter(|problem| problem.field.as_deref() == Some(name))?;
    Some(problem.detail.clone())
}

fn choices(named: &[Named], chosen: &str) -> Vec<Choice> {
    let choice = |&(value, label): &Named| Choice { value, label, is_chosen: value == chosen };
    named.iter().map(choice).collect()
}

fn input(setting: &Setting, written: &Written, problem: Option<&Failed>) -> Input {
    let value = written.text(setting.name);
    let choices = match setting.kind {
        Kind::Choice(named) | Kind::Flag(named) => choices(named, value),
        _ => Vec::new(),
    };
    let is_area =
        matches!(setting.kind, Kind::Area | Kind::Lines | Kind::Delays | Kind::Pairs | Kind::Json);
    Input {
        name: setting.name,
        label: setting.label,
        hint: setting.hint,
        value: value.to_owned(),
        choices,
        is_area,
        is_secret: false,
        is_required: setting.is_required,
        wrong: wrong_with(setting.name, problem),
    }
}

/// An input in one line that is not a setting's.
fn line((name, label): Named, hint: &'static str, value: &str) -> Input {
    Input {
        name,
        label,
        hint,
        value: value.to_owned(),
        choices: Vec::new(),
        is_area: false,
        is_secret: false,
        is_required: false,
        wrong: None,
    }
}

/// One whose value is a secret.
fn secret(named: Named, hint: &'static str) -> Input {
    Input { is_secret: true, ..line(named, hint, "") }
}

/// What signs, and what goes along beside that.
fn secrets(purpose: Purpose, chosen: &Chosen, problem: Option<&Failed>) -> Vec<Input> {
    let mut inputs = Vec::new();
    let kinds: Vec<Named> = match purpose {
        Purpose::New { .. } => CREDENTIALS.into(),
        Purpose::Edit => CHANGES.iter().chain(&CREDENTIALS[1..]).copied().collect(),
    };
    if purpose != Purpose::Edit {
        inputs.push(Input {
            choices: choices(&SIGNATURES, &chosen.signature),
            wrong: wrong_with("signature", problem),
            ..line(("signature", "Signature"), "The gateway makes a secret for it.", "")
        });
        inputs.push(Input {
            wrong: wrong_with("secrets", problem),
            ..secret(
                ("secret", "Or a secret of your own"),
                "whsec_ or whsk_, if the receiver has one already.",
            )
        });
    }
    inputs.push(Input {
        choices: choices(&kinds, &chosen.credential),
        wrong: wrong_with("credential", problem),
        ..line(("credential", "Credential"), "What goes along, beside the signature.", "")
    });
    let name = ("credential_name", "User, or name of the header");
    inputs.push(line(name, "Not for a bearer token.", &chosen.credential_name));
    let value = ("credential_value", "Token, password, or value of the header");
    inputs.push(secret(value, "Nobody sees it again."));
    inputs
}

/// The whole form.
pub(super) fn groups(
    purpose: Purpose,
    (written, chosen): (&Written, &Chosen),
    problem: Option<&Failed>,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for part in Part::ALL {
        let own = SETTINGS.iter().filter(|setting| setting.part == part);
        let mut inputs: Vec<Input> = own.map(|setting| input(setting, written, problem)).collect();
        if part == Part::Where && purpose == (Purpose::New { is_operator: true }) {
            inputs.push(Input {
                wrong: wrong_with("tenant", problem),
                ..line(("tenant", "Tenant"), "Whose events it gets; empty: all.", &chosen.tenant)
            });
        }
        groups.push(Group::new(part.title(), inputs, matches!(part, Part::Where | Part::What)));
    }
    let secrets = secrets(purpose, chosen, problem);
    groups.insert(2, Group::new("Secrets", secrets, false));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that what is wrong stands beside its input, and that the input can be seen.
    #[test]
    fn what_is_wrong_is_said_where_it_is() {
        let failed = Failed::invalid("`rate`: must be a rate");
        let failed = Failed { field: Some("rate".to_owned()), ..failed };
        let (written, chosen) = (Written::fresh(), Chosen::default());
        let groups = groups(Purpose::Edit, (&written, &chosen), Some(&failed));
        let open: Vec<_> = groups.iter().filter(|group| group.is_open).collect();
        assert_eq!(open.len(), 1);
        let wrong: Vec<_> = open[0].inputs.iter().filter(|it| it.wrong.is_some()).collect();
        assert_eq!((wrong.len(), wrong[0].name), (1, "rate"));
    }

    #[test]
    fn only_an_operator_says_whose_an_endpoint_is() {
        let has_tenant = |purpose| {
            let (written, chosen) = (Written::fresh(), Chosen::default());
            let groups = groups(purpose, (&written, &chosen), None);
            groups.iter().any(|group| group.inputs.iter().any(|input| input.name == "tenant"))
        };
        assert!(has_tenant(Purpose::New { is_operator: true }));
        assert!(!has_tenant(Purpose::New { is_operator: false }) && !has_tenant(Purpose::Edit));
    }
}
