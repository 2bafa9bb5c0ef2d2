//! Paytm: a form whose `CHECKSUMHASH` is an encrypted hash of all other values, and a salt.
//!
//! The hash needs no secret, and AES-CBC does not prove who encrypted it. The values are hashed
//! without their names, so whoever overhears a form can move them to other names. The proof is
//! therefore weak: ask Paytm for the state of the order before you act on an event. Each try may
//! have another salt, so the id of an event is derived from all other fields, names included: a
//! form with moved names that comes first does not make a duplicate of the genuine one. Paytm's
//! times have no zone and are left out. Its newer notifications, in JSON with another signature,
//! are not supported.

use hookgate_sdk::{
    Claims, Decryption, Digest, DigestText, Encrypted, Event, Evidence, Failure, Hash, KeyEncoding,
    Money, Piece, Proof, ProofKind, Provider, ProviderInfo, Refusal, Request, SignedFields,
    Timestamp, Value, ValuePart, Worth, base64, event_type, form, id, known_money, labels,
};

/// The plugin.
#[derive(Debug)]
pub struct Paytm;

const CHECKSUM: &str = "CHECKSUMHASH";
const FIELDS: SignedFields =
    SignedFields::values().sorted().joined_by("|").without(&[CHECKSUM]).apart();
/// The same for every merchant.
const NONCE: &[u8; 16] = b"@@@@&&&&####$$$$";
/// Hexadecimal digits of the hash, behind which the salt stands.
const HASH_DIGITS: u32 = 64;

impl Provider for Paytm {
    type Settings = ();

    fn describe() -> ProviderInfo {
        let (types, proofs) = (&["payment.*", "paytm.*"], &[ProofKind::Decrypted]);
        ProviderInfo::new("paytm", env!("CARGO_PKG_VERSION"), types, proofs)
            .worth(ProofKind::Decrypted, Worth::Weak)
            .with_scheme("AES-CBC of a SHA-256 of all values and a salt, `CHECKSUMHASH`")
    }

    fn claim(request: &Request) -> Result<Claims, Refusal> {
        let fields = form::fields(&request.body)?;
        let written = form::value(&fields, CHECKSUM).unwrap_or_default();
        // A plus that nobody escaped has become a blank.
        let checksum = base64::decode(&written.replace(' ', "+"));
        let checksum = checksum.filter(|checksum| !checksum.is_empty()).ok_or_else(|| {
            Refusal::new(format!("field `{CHECKSUM}` is missing or not a checksum"))
        })?;
        let written = DigestText::Raw;
        let salt = || Piece::Value(ValuePart { index: 0, written, start: HASH_DIGITS, end: None });
        let encrypted = Encrypted::aes_cbc(KeyEncoding::Text, NONCE.to_vec(), checksum);
        let message = vec![FIELDS.text(&fields)?.into(), "|".into(), salt()];
        let digest = Digest { hash: Hash::Sha256, key: None, message };
        let plain = Some(vec![Piece::of_value(1, DigestText::Hex), salt()]);
        let proof = Proof::Decrypted(Decryption { index: 0, plain });
        Ok(Claims::new(Evidence::from(proof), [event_id(&fields)])
            .with_values([Value::Decrypted(encrypted), Value::Digest(digest)]))
    }

    fn parse(request: &Request) -> Result<Vec<Event>, Failure> {
        let fields = form::parse(&request.body);
        let field = |name: &str| {
            let value = form::value(&fields, name).filter(|value| id::fits(value));
            value.map(str::to_owned)
        };
        let state = field("STATUS").ok_or_else(|| Failure::permanent("the form has no STATUS"))?;
        let canonical = match &*state {
            "PENDING" => Some("payment.created"),
            "TXN_SUCCESS" => Some("payment.succeeded"),
            "TXN_FAILURE" => Some("payment.failed"),
            _ => None,
        };
        let amount = field("TXNAMOUNT").zip(field("CURRENCY"));
        let declined = canonical == Some("payment.failed");
        Ok(vec![Event {
            subject: field("TXNID").or_else(|| field("ORDERID")),
            money: amount.and_then(|(amount, code)| known_money(Money::from_major(&amount, &code))),
            labels: labels([
                ("method", field("PAYMENTMODE").map(|mode| mode.to_lowercase())),
                ("decline_code", field("RESPCODE").filter(|_| declined)),
                ("account", field("MID")),
                ("reference", field("ORDERID")),
            ]),
            ..Event::new(
                event_id(&fields),
                event_type(canonical, "paytm", &state),
                form::to_json(&fields),
            )
        }])
    }

    fn sign(mut request: Request, _: Timestamp, digests: &[Vec<u8>]) -> Result<Request, String> {
        let checksum = match digests {
            [] => format!("{:064}salt", 0).into_bytes(),
            [checksum] => checksum.clone(),
            _ => return Err("a form carries only one checksum".to_owned()),
        };
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let named = format!("{CHECKSUM}=");
        let is_other = |pair: &&str| !pair.starts_with(&named);
        let others: Vec<&str> = form.split('&').filter(is_other).collect();
        let written = base64::encode(&checksum);
        let written = written.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        request.body = format!("{}&{named}{written}", others.join("&")).into_bytes();
        Ok(request)
    }
}

/// The id of the event in a form, whatever its checksum and the order of its fields. Fields of one
/// name stay in their order, because the first one counts.
fn event_id(fields: &[(String, String)]) -> String {
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut others: Vec<_> = fields.filter(|(name, _)| *name != CHECKSUM).collect();
    others.sort_by_key(|(name, _)| *name);
    let parts = others.into_iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    id::derived(&parts.collect::<Vec<_>>())
}

hookgate_sdk::export!(provider: Paytm);
