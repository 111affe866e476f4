//! Properties of characters, as PCRE names them behind `\p`.

use super::super::error::Outcome;
use super::translation::{Translator, refuse_pattern};

/// What a character is.
const CATEGORIES: &str = "C Cc Cf Cn Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So \
    Z Zl Zp Zs";

/// Whose script it belongs to.
const SCRIPTS: &str = "Arabic Armenian Avestan Balinese Bamum Batak Bengali Bopomofo Brahmi Braille Buginese Buhid \
    Canadian_Aboriginal Carian Chakma Cham Cherokee Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari \
    Egyptian_Hieroglyphs Ethiopic Georgian Glagolitic Gothic Greek Gujarati Gurmukhi Han Hangul Hanunoo Hebrew Hiragana \
    Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kayah_Li \
    Kharoshthi Khmer Lao Latin Lepcha Limbu Linear_B Lisu Lycian Lydian Malayalam Mandaic Meetei_Mayek \
    Meroitic_Cursive Meroitic_Hieroglyphs Miao Mongolian Myanmar New_Tai_Lue Nko Ogham Old_Italic Old_Persian \
    Old_South_Arabian Old_Turkic Ol_Chiki Oriya Osmanya Phags_Pa Phoenician Rejang Runic Samaritan Saurashtra Sharada \
    Shavian Sinhala Sora_Sompeng Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil \
    Telugu Thaana Thai Tibetan Tifinagh Ugaritic Vai Yi";

/// The longest name.
const LONGEST: usize = 32;

/// Translates the name behind `\p`, or behind `\P` if that negates it.
pub(super) fn translate(is_negated: bool, translator: &mut Translator<'_>) -> Outcome<String> {
    let name = if translator.skip("{") {
        translator.take_until('}', LONGEST)
    } else {
        let (letter, after) = translator.rest.split_at_checked(1).unwrap_or_default();
        translator.rest = after;
        Some(letter)
    };
    let Some(name) = name else { return refuse_pattern("malformed \\P or \\p sequence") };
    let (name, is_negated) = match name.strip_prefix('^') {
        Some(name) => (name, !is_negated),
        None => (name, is_negated),
    };
    let is_one_of = |names: &str| names.split_whitespace().any(|known| known == name);
    let members = match name {
        "Any" => "\\p{Any}".to_owned(),
        "L&" => "\\p{gc=Lu}\\p{gc=Ll}\\p{gc=Lt}".to_owned(),
        "Xan" => "\\p{gc=L}\\p{gc=N}".to_owned(),
        "Xwd" => "\\p{gc=L}\\p{gc=N}_".to_owned(),
        "Xsp" | "Xps" => "\\p{gc=Z}\\t\\n\\x0B\\f\\r".to_owned(),
        category if is_one_of(CATEGORIES) => format!("\\p{{gc={category}}}"),
        script if is_one_of(SCRIPTS) => format!("\\p{{sc={script}}}"),
        _ => return refuse_pattern("unknown property name after \\P or \\p"),
    };
    let sign = if is_negated { "^" } else { "" };
    Ok(format!("[{sign}{members}]"))
}
