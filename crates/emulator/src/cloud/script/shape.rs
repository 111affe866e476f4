//! What a text may look like, before anything descends into it.
//!
//! The parser and the interpreter call themselves for what stands inside something else, so a text that is nested
//! without end would end the process. Here the tokens of a text are walked without descending, and counted: how many
//! brackets are open, and how many tokens lie on the way to a place, from the beginning of its own part of the text and
//! of every part around it. Parts end at commas and semicolons. Whatever nests, be it a bracket, an operator, a keyword
//! or one more link of a chain, takes a token, so that this bounds every kind of nesting without knowing any of them.
//!
//! The tokens must be those that the parser sees. What could be read in two ways (`/` behind a value, `<!--`), and what
//! brings its own rules (escapes in names, `${`), is no part of the language anyway: it is refused.

use std::iter::Peekable;
use std::str::CharIndices;

use super::Evaluated;

/// The deepest nesting of brackets.
pub(crate) const DEEPEST: usize = 100;
/// The most tokens on the way to a place.
pub(crate) const FARTHEST: usize = 300;

/// Refuses what is nested too deep.
pub(super) fn check(text: &str) -> Evaluated<()> {
    let mut walk = Walk::over(text);
    while let Some((at, first)) = walk.chars.next() {
        let fault = |reason: String| (reason, u32::try_from(at).unwrap_or(u32::MAX));
        walk.token(first, at).map_err(fault)?;
        if walk.open.len() > DEEPEST {
            return Err(fault(format!("nested deeper than {DEEPEST}")));
        }
        if walk.around + walk.here > FARTHEST {
            return Err(fault(format!(
                "nested deeper than {FARTHEST} names, operators and calls: a shorter chain, or commas and semicolons \
                 between parts, help"
            )));
        }
    }
    Ok(())
}

struct Walk<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    open: Vec<Bracket>,
    /// Tokens of this part so far.
    here: usize,
    /// Tokens of the parts around.
    around: usize,
    /// Whether the last token was a semicolon.
    ended: bool,
    /// The last token, or what stands for it: a letter for every value.
    before: Option<char>,
}

struct Bracket {
    closing: char,
    /// Tokens of the part in which it was opened.
    before: usize,
}

type Step = Result<(), String>;

/// What stands for a value, where only that it is one matters.
const VALUE: char = 'v';

impl<'a> Walk<'a> {
    fn over(text: &'a str) -> Walk<'a> {
        let chars = text.char_indices().peekable();
        Walk { text, chars, open: Vec::new(), here: 0, around: 0, ended: false, before: None }
    }

    fn token(&mut self, first: char, at: usize) -> Step {
        match first {
            space if is_space(space) => return Ok(()),
            '/' if self.next_is('/') => {
                while self.chars.next_if(|(_, c)| !is_line_end(*c)).is_some() {}
                return Ok(());
            }
            '/' if self.next_is('*') => return self.comment(),
            _ => {}
        }
        let is_name = is_name(first);
        if is_name {
            while self.chars.next_if(|(_, c)| self::is_name(*c)).is_some() {}
        }
        // Of one statement, branch after branch stands inside the one before it.
        if self.ended && self.since(at) != "else" {
            self.here = 0;
        }
        self.ended = false;
        match first {
            _ if is_name => self.here += 1,
            '"' | '\'' => self.string(first)?,
            '`' => self.template()?,
            '/' => self.regular_expression()?,
            '(' => self.enter(')'),
            '[' => self.enter(']'),
            '{' => self.enter('}'),
            ')' | ']' | '}' => self.leave(first)?,
            ',' => self.here = 0,
            ';' => self.ended = true,
            '<' | '#' | '@' | '\\' => return Err(format!("{first:?} is not supported in a query")),
            '-' if self.rest().starts_with("->") => {
                return Err("\"-->\" is not supported in a query".to_owned());
            }
            _ => self.here += 1,
        }
        let is_value = is_name || matches!(first, '"' | '\'' | '`' | '/');
        self.before = Some(if is_value { VALUE } else { first });
        Ok(())
    }

    fn next_is(&mut self, wanted: char) -> bool {
        self.chars.peek().is_some_and(|(_, c)| *c == wanted)
    }

    /// Where the next character stands.
    fn offset(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    /// What has not been read yet.
    fn rest(&mut self) -> &'a str {
        let at = self.offset();
        self.text.get(at..).unwrap_or_default()
    }

    /// What has been read since a place.
    fn since(&mut self, at: usize) -> &'a str {
        let end = self.offset();
        self.text.get(at..end).unwrap_or_default()
    }

    fn enter(&mut self, closing: char) {
        self.here += 1;
        self.open.push(Bracket { closing, before: self.here });
        self.around += self.here;
        self.here = 0;
    }

    fn leave(&mut self, closing: char) -> Step {
        match self.open.pop() {
            Some(bracket) if bracket.closing == closing => {
                self.here = bracket.before;
                self.around -= bracket.before;
                Ok(())
            }
            _ => Err(format!("SyntaxError: Unexpected token {closing}")),
        }
    }

    fn comment(&mut self) -> Step {
        let mut before = ' ';
        // The star that opens it does not close it.
        self.chars.next();
        for (_, c) in self.chars.by_ref() {
            if before == '*' && c == '/' {
                return Ok(());
            }
            before = c;
        }
        Err("SyntaxError: Unterminated comment".to_owned())
    }

    fn string(&mut self, quote: char) -> Step {
        self.here += 1;
        while let Some((_, c)) = self.chars.next() {
            match c {
                '\\' => self.escape(),
                '\n' | '\r' => break,
                c if c == quote => return Ok(()),
                _ => {}
            }
        }
        Err("SyntaxError: Unterminated string".to_owned())
    }

    fn escape(&mut self) {
        if let Some((_, '\r')) = self.chars.next() {
            self.chars.next_if(|(_, c)| *c == '\n');
        }
    }

    fn template(&mut self) -> Step {
        self.here += 1;
        while let Some((_, c)) = self.chars.next() {
            match c {
                '\\' => self.escape(),
                '$' if self.next_is('{') => {
                    return Err("a template with expressions is not supported in a query".to_owned());
                }
                '`' => return Ok(()),
                _ => {}
            }
        }
        Err("SyntaxError: Unterminated template".to_owned())
    }

    /// Only where no value stands before can a slash begin a regular expression.
    fn regular_expression(&mut self) -> Step {
        if !matches!(self.before, None | Some('(' | '[' | '{' | ',' | ';' | ':' | '=' | '?')) {
            return Err("\"/\" is not supported here in a query".to_owned());
        }
        self.here += 1;
        let mut in_class = false;
        while let Some((_, c)) = self.chars.next() {
            match c {
                c if is_line_end(c) => break,
                '\\' if self.chars.next_if(|(_, c)| !is_line_end(*c)).is_none() => break,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => return Ok(()),
                _ => {}
            }
        }
        Err("SyntaxError: Unterminated regular expression".to_owned())
    }
}

/// Letters, digits, and everything beyond ASCII: numbers are names here.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || (!c.is_ascii() && !is_space(c))
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(text: &str) -> bool {
        check(text).is_ok()
    }

    fn refusal(text: &str) -> String {
        check(text).unwrap_err().0
    }

    #[test]
    fn brackets_in_texts_and_comments_do_not_count() {
        let many = "[".repeat(1000);
        for text in [
            format!("'{many}'"),
            format!("`{many}`"),
            format!("/*{many}*/"),
            format!("//{many}"),
            format!("/[{many}]/"),
        ] {
            assert!(passes(&text), "{}", &text[..5]);
        }
    }

    #[test]
    fn no_text_or_comment_hides_brackets() {
        let many = "[".repeat(1000);
        for start in
            ["'\\\\'", "/*'*/", "//'\n", "'/*'", "/['\"`]/,", "`'`", "// \u{2028}", "'\\\r\n'", "{a:/\\//,b:"]
        {
            assert!(refusal(&format!("{start}{many}")).contains("nested deeper"), "{start}");
        }
    }

    #[test]
    fn whatever_nests_is_counted() {
        for link in [
            "!",
            "-",
            "+",
            "~",
            "new ",
            "typeof ",
            "void ",
            "await ",
            "a=>",
            "a?b:",
            "a=",
            "a**",
            "if(a)",
            "for(;;)",
            "if(a);else ",
            ".a",
            "()",
            "[0]",
            "``",
            "{}",
            "a:",
            "do ",
            "label: ",
            "new\u{a0}",
            "!/**/",
            "!//\n",
            "?.a",
            "a||",
            "1+",
            "''",
            "while(0)",
            "try{}finally",
            "else;",
        ] {
            assert!(refusal(&link.repeat(301)).contains("nested deeper"), "{link}");
        }
    }

    #[test]
    fn parts_beside_each_other_do_not_nest() {
        for part in ["{a:1,b:[2,'x']},", "_.gt(1).lt(2),", "const a = db.command;\n", "const a = 1; // one\n"]
        {
            assert!(passes(&part.repeat(10_000)), "{part}");
        }
    }

    #[test]
    fn parts_around_a_place_count_together() {
        let chain = "a.b.c.d.e.f.g.h.i.j(";
        assert!(passes(&format!("{}{}", chain.repeat(10), ")".repeat(10))));
        assert!(!passes(&format!("{}{}", chain.repeat(20), ")".repeat(20))));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in
            ["a / b / c", "(a) /'/", "{} /[/]/", "<!-- '", "x\n--> '", "`${'`'}`", "\\u0061", "#!", "a++ /'/"]
        {
            assert!(!passes(text), "{text}");
        }
    }

    #[test]
    fn patterns_are_understood_where_a_value_begins() {
        for text in ["/['\"(]\\//.x", "f(/'/,/\"/)", "{a:/[/']/i}", "[/`/]", "a = /(/"] {
            assert!(passes(text), "{text}");
        }
    }
}
