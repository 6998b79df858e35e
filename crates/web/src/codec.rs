//! Typed values to bytes and back. The core sees only the bytes and the tag.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sessile_core::{Codec, Value};

/// Encodes `value` as CBOR.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Value, String> {
    let bytes = minicbor_serde::to_vec(value).map_err(|error| error.to_string())?;
    Ok(Value { codec: Codec::CBOR, bytes: bytes.into() })
}

/// Decodes what [`encode`], or a store that speaks JSON, wrote.
pub(crate) fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    match value.codec {
        Codec::CBOR => minicbor_serde::from_slice(&value.bytes).map_err(|error| error.to_string()),
        Codec::JSON => serde_json::from_slice(&value.bytes).map_err(|error| error.to_string()),
        Codec::RAW => Err("it holds raw bytes; read it with get_bytes".to_owned()),
        Codec(tag) => Err(format!("its codec {tag} is not known to this version; read it with get_bytes")),
    }
}

/// The value as a JSON text; `None` when it has no such form.
pub(crate) fn to_json(value: Value) -> Option<Bytes> {
    if value.codec == Codec::JSON {
        return Some(value.bytes);
    }
    let decoded: serde_json::Value = decode(&value).ok()?;
    Some(decoded.to_string().into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Payment {
        None,
        Card { last_digits: u16, holder: Option<String> },
        Voucher(u64),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Cart {
        lines: BTreeMap<String, u32>,
        payment: Vec<Payment>,
        total: f64,
        #[serde(default)]
        note: Option<String>,
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let cart = Cart {
            lines: BTreeMap::from([("umbrella".to_owned(), 2)]),
            payment: vec![
                Payment::None,
                Payment::Card { last_digits: 42, holder: None },
                Payment::Voucher(u64::MAX),
            ],
            total: 12.5,
            note: Some("ring twice".to_owned()),
        };
        assert_eq!(decode::<Cart>(&encode(&cart).unwrap()).unwrap(), cart);
    }

    #[test]
    fn json_of_adapters_is_read() {
        let value = Value { codec: Codec::JSON, bytes: r#"["a","b"]"#.into() };
        assert_eq!(decode::<Vec<String>>(&value).unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_has_a_form_in_json_is_written_so() {
        let json = |value| to_json(value).map(|json| String::from_utf8(json.to_vec()).unwrap());
        let text = r#"{ "a": 1 }"#;
        assert_eq!(json(Value { codec: Codec::JSON, bytes: text.into() }).unwrap(), text);
        assert_eq!(json(encode(&("x", 1.5, None::<()>)).unwrap()).unwrap(), r#"["x",1.5,null]"#);
        assert_eq!(json(Value::raw("x")), None);
    }

    #[test]
    fn bytes_that_are_no_typed_value_are_refused() {
        assert!(decode::<String>(&Value::raw("x")).unwrap_err().contains("get_bytes"));
        assert!(
            decode::<String>(&Value { codec: Codec(200), bytes: "x".into() }).unwrap_err().contains("200")
        );
        assert!(decode::<String>(&Value { codec: Codec::CBOR, bytes: vec![0xff].into() }).is_err());
    }
}
