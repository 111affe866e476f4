//! Strings that PHP has serialized: with its `serialize`, or with the extension igbinary, which caches prefer where it is
//! installed.

/// What igbinary writes in front: its version, 1 or 2.
const IGBINARY: [&[u8]; 2] = [&[0, 0, 0, 1], &[0, 0, 0, 2]];
/// A string whose length follows in one byte, two or four.
const STRINGS: [(u8, usize); 3] = [(0x11, 1), (0x12, 2), (0x13, 4)];

/// The string that was serialized, or the one in this field of an array.
pub(super) fn string<'a>(bytes: &'a [u8], field: Option<&str>) -> Option<&'a str> {
    let igbinary = IGBINARY.iter().find_map(|version| bytes.strip_prefix(*version));
    let (string, behind) = match (igbinary, field) {
        (Some(value), None) => packed(value)?,
        (Some(array), Some(field)) => {
            let mut name = vec![0x11, u8::try_from(field.len()).ok()?];
            name.extend_from_slice(field.as_bytes());
            (packed(behind(array, &name)?)?.0, &[][..])
        }
        (None, None) => serialized(bytes.trim_ascii())?,
        (None, Some(field)) => {
            let name = format!("s:{}:\"{field}\";", field.len());
            let array = bytes.trim_ascii().strip_prefix(b"a:")?;
            (serialized(behind(array, name.as_bytes())?)?.0, &[][..])
        }
    };
    behind.is_empty().then(|| std::str::from_utf8(string).ok())?
}

/// `s:6:"abcdef";`, and what is behind it.
pub(super) fn serialized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = bytes.strip_prefix(b"s:")?;
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (length, bytes) = bytes.split_at_checked(digits)?;
    let length = std::str::from_utf8(length).ok()?.parse().ok()?;
    let (string, bytes) = bytes.strip_prefix(b":\"")?.split_at_checked(length)?;
    Some((string, bytes.strip_prefix(b"\";")?))
}

/// The same as igbinary writes it.
fn packed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (kind, bytes) = bytes.split_first()?;
    let (_, width) = STRINGS.iter().find(|(string, _)| string == kind)?;
    let (length, bytes) = bytes.split_at_checked(*width)?;
    let length = length.iter().fold(0, |length: usize, byte| length << 8 | usize::from(*byte));
    bytes.split_at_checked(length)
}

fn behind<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(name.len().max(1)).position(|part| part == name)?;
    bytes.get(at + name.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRAY: &[u8] = b"a:2:{s:6:\"ticket\";s:7:\"foreign\";s:10:\"expires_in\";i:7200;}";
    const PACKED: &[u8] = b"\0\0\0\x02\x11\x07foreign";
    const PACKED_ARRAY: &[u8] =
        b"\0\0\0\x02\x14\x02\x11\x06ticket\x11\x07foreign\x11\x0aexpires_in\x08\x1c\x20";

    #[test]
    fn a_string_is_read_as_both_write_it() {
        assert_eq!(string(b"s:7:\"foreign\";\n", None), Some("foreign"));
        assert_eq!(string(PACKED, None), Some("foreign"));
        let mut long = b"\0\0\0\x02\x12\x02\x00".to_vec();
        long.extend_from_slice("t".repeat(512).as_bytes());
        assert_eq!(string(&long, None), Some(&*"t".repeat(512)));
    }

    #[test]
    fn a_field_of_an_array_is_read_as_both_write_it() {
        for array in [ARRAY, PACKED_ARRAY] {
            assert_eq!(string(array, Some("ticket")), Some("foreign"));
            assert_eq!(string(array, Some("access_token")), None);
            assert_eq!(string(array, None), None);
        }
    }

    #[test]
    fn what_is_cut_off_is_nothing() {
        for whole in [b"s:7:\"foreign\";", PACKED] {
            for end in 0..whole.len() {
                assert_eq!(string(&whole[..end], None), None, "{end}");
            }
        }
        assert_eq!(string(b"s:99999999999999999999:\"t\";", None), None);
        assert_eq!(string(b"\0\0\0\x02\x13\xff\xff\xff\xfft", None), None);
    }
}
