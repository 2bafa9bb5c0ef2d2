//! Signatures that others published, and keys of another kind.

use super::super::key;
use super::*;
use crate::provider::{KeyEncoding, SecretForm};
use crate::secrets::Secret;

/// A public key as a `SubjectPublicKeyInfo` in base64, and a signature of `hookgate` in base64:
/// made with OpenSSL.
const SIGNED: [(PublicKey, &str, &str); 10] = [
    (
        PublicKey::Ed25519,
        "MCowBQYDK2VwAyEAsdC4h/MPIZLC/b644nNsdlboF7QgMDRhSLfRWv5iINc=",
        "WscEX46Y1Yr45gHAVh9ZbP3E6YPQ51LmSCgu2Ge9Un8oX/BxwucxCQrxdXkGl+e6J8LjFfPSkvS9CwBY6z\
         +gAw==",
    ),
    (
        PublicKey::EcdsaP256,
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEgPIQ7cC0/Zg/2VqkFJ/u2Mjp9sg/IWbS1CTkctLNVswhAt\
         528FABskFLCPWPjXx+Bc/VxAuNSAgnXbb8XssO3w==",
        "SJP1XO9kPYRbfduB20bVlSbILVXaAz1I5JE1Z+jATU1IkSXmvht8YuU8zGERl/h0v25aa5CkcuvV7fJdHw\
         AEQw==",
    ),
    (
        PublicKey::EcdsaP256Der,
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2Hk8o0Gu3/gFxln4RLqlXKeS8oLPVar9UO+eotde61ydFS\
         YXBgKpYadKzj5ud5Zyjj+rrW0HtULMnBaZ/I5IKA==",
        "MEUCIF565v4U273FbG8eg+76KeYL9pnkb8C5oxf/FWF5/LTdAiEAlAKVKs9zUHTjwPIQ/zmE67VBjZvQIa\
         b3JJ8ncPlkk9w=",
    ),
    (
        PublicKey::EcdsaP384,
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEtl/jlZoA2Y4s7MMPZOx2/cSfW6ArAo0sN+JN5xuCP3eJs1uIsG\
         IRAKd65YGQu9mKE8+2BW/lToOONCyE+MuqxCtYMsyH5/n2wEoZgc70jxVKgTCV29F9IHM74Yy41aak",
        "xw8Q0w/ejCYSYZjcl8UDheXf/nGZijbaL83qXAWEE7G2AtvgTa1L0NWcgc4Le1trNgqFPaJF67rZC7exrM\
         LJbld0bEd/x64yWUIRW+h5Cw6TD/acGo8iU42TRlfPX0ON",
    ),
    (
        PublicKey::EcdsaP384Der,
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAExyonsOCevupL3PZ8g3CrSFbtYRMFy1BJJGbBFxWvmP3z0q6hhY\
         zp5WzlQVpcmYyVZ8Mdlxzb5Lsl8JoxzfW0oQCbHTbOcfqUDQpqZzQG5cqyxqgT2kGQ8nkWTJXM1Afr",
        "MGUCMQCsygzSqeWtqIeHGvjVZDlhTB2yIs58+nSRtEx2Yxm750K8Ii/fGhrHNRfbPcVHtM4CMBZkmI2gsR\
         X4mIcOe155pYywvIutY3+ObRJpSl0ZnoLHwGTkmyQDqXGaipQwCBbHSA==",
    ),
    (
        PublicKey::EcdsaP521,
        "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQA31r2R5267dJD5xONXPdhVuIRNReOccrSAGQ5u4VtTTmYew\
         +hXlXAdn/LAqYd33UhQ2a2Wxe0JpC4gm86okEUZw4A/OJxiUHw19i+n/V45eLVTxbNMsEXELQRv/rIVufo\
         UmnzijndmetKHU59ET2P6SzKzMWhj3QzHbOVTfvMAYh8a1c=",
        "AZOOCgXVvKOBnWIpntHDJx5M4XxUcI0EkLBZbVpM03dgB5RAN+5iCx3wIVTm67Tc/EtiaK39NyJiBDsbjW\
         f4ncwKANV7x2RSfL8rK+Dj9jGFkMLjlRrnAGYqrKl74/mL0dRwnvAf0lXy2fZ+FQPbFxII2OSRPHEMId5W\
         qKYgAYWqQB8Y",
    ),
    (
        PublicKey::EcdsaP521Der,
        "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBR6FcGJrpyiflHOb8WEUkTc+H/zE5LxTuES2AfKtndq0YE0\
         +hfJDcVf7gxbmwaskPnuuHygKirZp9ybgI/azGGTcB8PswuohxTF2jzvJMlIvbXpA1eSKTrj3oT+m8OcAX\
         XglstmwcEcovYMlxlF1Ui8EYQfIDUR2+WAuK3PPwc5fFnxQ=",
        "MIGIAkIAzHAnMkicnR4J3y2qLB/85xsflvGog6OVxqAO1zpjhbFtd+zUNiGMjg/vNT0lG0+WrYeBIvl0bX\
         AbQsVll4sL24QCQgGluR18JhnjhiM1RNySfMhTLJtmoEZOZhi3NlwsJfrSA2C4i6943UL7dqMdcwtV9zuK\
         fr1TIG0bW24yjDaEtUsS8A==",
    ),
    (
        PublicKey::RsaSha1,
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsdSDErNz5gO2cEOx2rFE32EWoBmvs92u0CbGuI\
         BDVv77r5K9NPt/YWNqFSPpGrZ5+Fy5G34pGftznf4rC2ygcRzw+aooHTg5mbWxEr/k+WKK5Iafpl2XIzG5\
         LYL6aV0KuvqQKPvQImSwUh6TRT7leDPafXaofT7vNlKdKTCxGdyJbkUmTUA0Jsrp4l/2+p17e4Q8S+BBV2\
         8vmRHz/Q2eBZevjdAdE98LU2Htgz44ZiQGERnnQ5ngX6QVx6qAL1RDriZylZY8YTc+qHg/60hTTIixyG8m\
         7dqAI5uQCtEX+5ojo9ow/Rgph+T3Y/5yu2uwD+YMolTWc8R4caBipBwApwIDAQAB",
        "mEswwMGIClrrRMsGQjCUrTxY4M0lCGVXQ7acmLrrZAvN4RX1iwkrE4P5+UUlWOGkMHAblYIIwLx44vr9ve\
         TlnMFZIZw7xqlB5Ui8yNNZ3SH0fe4bSeiFcRRujq8rb1+YakqXVbkX67swHuKavr5bVtbFlr/FtcDriWRJ\
         Qwc8Hz/cPxwAu5+w3RU46BQxwE0+1o0OO5eO5KRB8CY1SQ4sV4hsuJ/HRLKKlPecuKNrcpbJOj/be6sBmB\
         ezod5Z3YAc4WbO3EizvEHkiV/7fJw+MGXdN6wAgYN1knJzwLMuGEYsPk+BSV8DYROFFi1Tjotb8s+bqZIb\
         +u/BJd2CMVnqTA==",
    ),
    (
        PublicKey::RsaSha512,
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA5fKaR/F1X3cuEb52r6EaJXxkPB4kHW/nPddUf1\
         1OivQ2gMU3YjuLz4smL2DmVCbFo8TBRYOWE/prnU1H1/expx1o+4odvkMyCDjht1oJXLlgwX7TzxL8x9FX\
         YnQAbSigS6N/S7iLIdgUAPRZDtcQjGNFxaEM+jT7G98RM905eAm83k1zalBzjotRT26ykCe58pYUXNYOES\
         YmBnAehZ2y3da/V4U1eyn0A9DyXkSlbvR5vYOPH4ThvNocHPIBTKRCAKYjIIM32+BmD//4FmuUhwETk8ZC\
         y3lVxoPdL1CgBDmA8lPiQif+pXFpYEqkcBFkF3U5gJEjOkY2grpmaxxR0QIDAQAB",
        "B6P2E1P1k4KGwqxZodTx8VYU1U97rWN+sRuUxKyta9zpbL7FmK8ROiz6PlKy5ayMtUagfiPEbg0PFVb1/N\
         +UBpV0GHLA7lP7HY+XyTZnvThvhcM84upYfx9Fxytlk4Zh43EKJSASpoAr4vghdGc5gtKYRD/EujXk1aHh\
         eESGdbwaZzD7q9EKVX+8Z0A92xfoMB9f+nJ4Ii6viaf+6vpoyj3+lTME38zwxXlOGj2fVh3M3CFnhqkm3i\
         xfBe0C2POkPFB/zUxfTrtV+sFvrrXvWhyDc0R6VicTnlJeIbSmvX5X/RMdgri3RD3JSEZWrRCJiV7s1cFN\
         gxvUQblsGbS48Q==",
    ),
    (
        PublicKey::RsaPssSha256,
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAugfoTVzcXMwWIwSvM8JGj2waBEBU1+xh16URgm\
         Dynz8mhM/3cDgNaWPmqtCUyslu0yIZCmIGj8UlT7Hc7QXB7viWFVzxv6lG5qY5KQ77vKiJJHuhORyMFWQD\
         rCqxzPZPlOW0Nr0VmM+I/IV2eo1rIkc9aZBudYYsGx6vxx8afeuN84aVxLaA4dE8NZuB3oANdaNFDAsHxZ\
         E3CHFY/7l126jOUtvxZyWAA6t1Sqt8EKmNot7Wt1f74+S2Q1aVkvq3kbMhlI3DEjvSetXvnmM91caaMnxj\
         P5rALKLkYlRSyPUoOPj97SO8WEytBxQGUxWfPbpOhQi4lsSRQT30hPzACQIDAQAB",
        "HC0GnioEbGWAEl5WoBhVJsEbUaHtCnLAR8EdZxFQwl00a/jbFOCMLC5+eFD2s+pUgjUCJaT8CHwkygVfAl\
         Wh+8wKuzSlLBM4QzeDeWDHP4fcagt3RL4uZeHp9cQkb19xorXK2IQS97FbKkgjtON6T6DXFg60G4N1DaSU\
         /SyfvU9dIlwFovP+wUC8uAmSa5hBP+HKo3XMqV26dSpyIWoboXUf0v5qkA+A7MpyDqjrtPvt46WAEd54G+\
         FHdI5/PrficPLpEhqm4c6dkyCrwYaJV4M6zrXDwh4FN5uQ0XQTti4W9aMuF5Dd7J0JlLEkPpGnSaiK9VMT\
         Hqa40VZc0ywAXg==",
    ),
];

fn bytes(scheme: PublicKey, spki: &str) -> Vec<u8> {
    let form = SecretForm::from(KeyEncoding::Spki);
    key::public_key(scheme.family(), &form, &Secret::new(spki).unwrap()).unwrap()
}

#[test]
fn a_signature_of_every_scheme_holds_for_its_message_key_and_scheme_alone() {
    for (scheme, spki, signature) in SIGNED {
        let public = bytes(scheme, spki);
        let signature = key::base64(signature).unwrap();
        let holds =
            |message: &[u8], signature: &[u8]| verifies(scheme, &public, message, signature);
        assert!(holds(b"hookgate", &signature), "{scheme:?}");
        assert!(!holds(b"hookgates", &signature), "{scheme:?}: another message");
        assert!(!holds(b"", &signature), "{scheme:?}: no message");
        assert!(!holds(b"hookgate", b""), "{scheme:?}: no signature");
        assert!(!holds(b"hookgate", &signature[1..]), "{scheme:?}: a part of it");
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            assert!(!holds(b"hookgate", &changed), "{scheme:?}: changed at {at}");
        }
        for (other, spki, _) in SIGNED {
            if other != scheme {
                let key = bytes(other, spki);
                let held = verifies(other, &key, b"hookgate", &signature);
                assert!(!held, "a signature of {scheme:?} as one of {other:?}");
            }
        }
    }
}
