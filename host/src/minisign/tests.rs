//! What minisign itself made, and what it would refuse.

use super::*;

/// What minisign 0.11 made: a key pair without a password, another with one, and signatures of
/// the three bytes `abc`.
const PUBLIC: &str = "\
untrusted comment: minisign public key D673E87B9A64E595
RWSV5WSae+hz1vYAeImKpRqR5+Eyqnh+hkUIhl8pr0epavo+LXyxsR+o
";
const SECRET: &str = "\
untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAleVkmnvoc9YUO2TLbAj0BTotTgrw\
CWYXJlpel7Z3BxscRZMJJv1QC/YAeImKpRqR5+Eyqnh+hkUIhl8pr0epavo+LXyxsR+oAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\
AAAAAAAAAAA=
";
const WITH_PASSWORD: &str = "\
untrusted comment: minisign encrypted secret key
RWRTY0Iy/kUTLzQsDvz9F0LC+R2Av0nWxCWirL6hFLNDkmG6R9oAAAACAAAAAAAAAEAAAAAAodE9pmm827nKb1A0ZxPrx3UtRW0J\
ti5K3Feim3QOfplnTDANZ+dm1XLU1uTc+zwDG2JxN0nwj2qDisUtEk4ficy0xHRIFZ6g4bQ8hNJtcLg6jyKfGYUEMj8WDdb1Y+th\
TQ593pg3t5Y=
";
const HASHED_SIGNATURE: &str = "\
untrusted comment: signature from minisign secret key
RUSV5WSae+hz1rGraxA+kyJdZDpBSdXkpLopne+RTv0u4U7b1JTx+OPRCWoNnyqOl/UECh34lsbcdYPHr0Z4dl/J18QMI1e8XQY=
trusted comment: signed by minisign 0.11
cZAcoF1p7ZsqY/ohuyW4TWBpknhm1mPf04UU9MxElMItb22q0suGC0WTTEUzadrF8THMxFzBXktcQW8myhUsCA==
";
const PLAIN_SIGNATURE: &str = "\
untrusted comment: signature from minisign secret key
RWSV5WSae+hz1nEtCU3IZhcKSvmA12FllUX/s8zJeOVppOKfwzUnmgE8P3IusUSfzK38jFR3PR+uYas1XuA5ZitK2o08XF6qaw0=
trusted comment: timestamp:1796121002\tfile:abc
weMApUv9yEm8j332VVgQcTjcEHuwYciNfaRU068mP4Cx8TUkQiN4W1xo8q91xs2jVgTuVUl2AfqzvKlCNAvyCA==
";
/// A key whose seed is the bytes from 0 to 31 and whose id those from 1 to 8, in a file that
/// minisign 0.11 reads, and what it signs of `abc` with the comment `a comment`.
const COUNTED: &str = "\
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQIDBAUGBwgAAQIDBAUGBwgJCgsM\
DQ4PEBESExQVFhcYGRobHB0eHwOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4UuhoZ0oj6XehkwAxqgcDfOhmwCrPXeYw\
QwAwVY5NB98=";
const COUNTED_SIGNATURE: [&str; 3] = [
    "RUQBAgMEBQYHCJKp4JgkJG9RdiZZe/mwi6Nlw4xZhCRZHjOAiJ3QGbJcMJV5Glb2sePf4G9n1+YQglI6HPlnH3fLw8Rl8k9p5gg=",
    "trusted comment: a comment",
    "eJH2X09gZIMFQutsMikJ09Qr89XR3fT8rBIyitOGAVL04gS5ENigW3NRCEY1loBYjIwDGhbpIVBl06v5p0T5Aw==",
];

fn public() -> PublicKey {
    PUBLIC.parse().unwrap()
}

fn verify(text: &str, bytes: &[u8]) -> Result<Verified, SignatureError> {
    text.parse::<Signature>()?.verify(bytes, &[public()])
}

#[test]
fn what_minisign_signed_holds_in_both_forms() {
    let hashed = verify(HASHED_SIGNATURE, b"abc").unwrap();
    assert_eq!(hashed.comment, "signed by minisign 0.11");
    assert_eq!((hashed.key, hashed.key.id().to_string()), (public(), "D673E87B9A64E595".into()));
    let plain = verify(&PLAIN_SIGNATURE.replace('\n', "\r\n"), b"abc").unwrap();
    assert_eq!(plain.comment, "timestamp:1796121002 file:abc", "nothing moves the cursor");
    // The one form is no signature of the other's message.
    let hash = Blake2b512::digest(b"abc");
    assert_eq!(verify(HASHED_SIGNATURE, &hash), Err(SignatureError::OtherBytes(public().id())));
}

#[test]
fn what_is_signed_here_is_what_minisign_would_write() {
    let key = SecretKey::read(COUNTED).unwrap();
    let signature = key.sign(b"abc", "a comment");
    let lines: Vec<_> = signature.lines().collect();
    assert_eq!(lines[0], "untrusted comment: signature by the key 0807060504030201");
    assert_eq!(lines[1..], COUNTED_SIGNATURE);
    assert_eq!(key.file().lines().nth(1), Some(COUNTED));
    let two_lines = key.sign(b"abc", "one\ntwo");
    let verified = two_lines.parse::<Signature>().unwrap().verify(b"abc", &[key.public()]);
    assert_eq!(verified.unwrap().comment, "one two");
}

#[test]
fn keys_are_read_as_they_are_written() {
    let line = PUBLIC.lines().nth(1).unwrap();
    assert_eq!(line.parse::<PublicKey>().unwrap(), public());
    assert_eq!((public().to_string().as_str(), public().file().as_str()), (line, PUBLIC));
    assert_eq!(SecretKey::read(SECRET).unwrap().public(), public());
    let fresh = SecretKey::fresh().unwrap();
    assert_eq!(SecretKey::read(&fresh.file()).unwrap().public(), fresh.public());
    assert_ne!(fresh.public(), SecretKey::fresh().unwrap().public());
    assert!(!format!("{fresh:?}").contains(&BASE64.encode(fresh.seed)));
}

#[test]
fn a_key_of_another_kind_is_refused_and_says_what_to_do() {
    let error = SecretKey::read(WITH_PASSWORD).unwrap_err();
    assert!(error.to_string().contains("minisign -C -W"), "{error}");
    let line = PUBLIC.lines().nth(1).unwrap();
    for text in
        ["", PUBLIC.lines().next().unwrap(), &line[..52], SECRET, &format!("{line}\n{line}")]
    {
        assert_eq!(text.parse::<PublicKey>(), Err(KeyError::NotPublic), "{text}");
    }
    for text in ["", PUBLIC, HASHED_SIGNATURE] {
        assert_eq!(SecretKey::read(text).unwrap_err(), KeyError::NotSecret);
    }
    // A bit of the seed, of the public half, of the checksum.
    for at in [70, 100, 150] {
        let mut bytes = BASE64.decode(COUNTED).unwrap();
        bytes[at] ^= 1;
        let read = SecretKey::read(&BASE64.encode(bytes));
        assert_eq!(read.unwrap_err(), KeyError::Damaged, "{at}");
    }
}

/// The text with one bit of the base64 in a line flipped.
fn flipped(text: &str, line: usize, byte: usize) -> String {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut bytes = BASE64.decode(&lines[line]).unwrap();
    bytes[byte] ^= 1;
    lines[line] = BASE64.encode(bytes);
    lines.join("\n")
}

#[test]
fn a_flipped_bit_of_file_signature_comment_or_key_is_refused() {
    let id = public().id();
    for signature in [HASHED_SIGNATURE, PLAIN_SIGNATURE] {
        assert_eq!(verify(signature, b"abb"), Err(SignatureError::OtherBytes(id)));
        assert_eq!(verify(signature, b"abcd"), Err(SignatureError::OtherBytes(id)));
        for byte in 10..74 {
            let flipped = flipped(signature, 1, byte);
            assert_eq!(verify(&flipped, b"abc"), Err(SignatureError::OtherBytes(id)));
        }
        for byte in 0..64 {
            let flipped = flipped(signature, 3, byte);
            assert_eq!(verify(&flipped, b"abc"), Err(SignatureError::OtherComment(id)));
        }
        let other = signature.replace("trusted comment: ", "trusted comment: x");
        let other = other.replacen("untrusted comment: x", "untrusted comment: ", 1);
        assert_eq!(verify(&other, b"abc"), Err(SignatureError::OtherComment(id)));
        let other_key = flipped(signature, 1, 2);
        assert!(matches!(verify(&other_key, b"abc"), Err(SignatureError::UnknownKey(_))));
        assert_eq!(verify(&flipped(signature, 1, 0), b"abc"), Err(SignatureError::Malformed));
        for byte in 10..42 {
            let key: PublicKey = flipped(PUBLIC, 1, byte).parse().unwrap();
            let verified = signature.parse::<Signature>().unwrap().verify(b"abc", &[key]);
            assert_eq!(verified, Err(SignatureError::OtherBytes(id)));
        }
    }
}

#[test]
fn one_of_several_keys_is_enough_also_if_another_has_its_id() {
    let double: PublicKey = flipped(PUBLIC, 1, 41).parse().unwrap();
    let other = SecretKey::fresh().unwrap().public();
    let signature: Signature = HASHED_SIGNATURE.parse().unwrap();
    let verified = signature.verify(b"abc", &[other, double, public()]).unwrap();
    assert_eq!((verified.key, double.id()), (public(), public().id()));
    let unknown = Err(SignatureError::UnknownKey(public().id()));
    assert_eq!(signature.verify(b"abc", &[other]), unknown);
    assert_eq!(signature.verify(b"abc", &[]), unknown);
}

#[test]
fn what_is_no_signature_is_said_so() {
    let lines: Vec<_> = HASHED_SIGNATURE.lines().collect();
    for text in [
        String::new(),
        PUBLIC.to_owned(),
        lines[1..].join("\n"),
        lines[..3].join("\n"),
        format!("{HASHED_SIGNATURE}more"),
        HASHED_SIGNATURE.replace("\ntrusted", "\nTrusted"),
        HASHED_SIGNATURE.replace("CA==", "CA"),
    ] {
        assert_eq!(text.parse::<Signature>(), Err(SignatureError::Malformed), "{text}");
    }
}
