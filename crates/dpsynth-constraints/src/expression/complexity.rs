//! Bounds on a text, checked on its words before anything parses them.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::position::Positions;
use super::{Finding, INTERVAL_FORM, vocabulary};
use crate::error::RuleProblem;

/// Refuses, before anything recurses, what could exhaust the stack or the parser's patience.
pub(super) fn check(tokens: &[TokenWithSpan], positions: &Positions) -> Result<(), Vec<Finding>> {
    let (mut depth, mut parts) = (0_usize, 0_usize);
    let mut previous: Option<&TokenWithSpan> = None;
    for token in tokens {
        let (mut problem, mut at) = (None, token.span);
        match &token.token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => {
                depth += 1;
                if let Some(before) = previous {
                    (problem, at) = (unknown_call(before), before.span);
                }
            }
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            // Lists are flat: their items and commas nest nothing.
            Token::Comma | Token::Number(..) | Token::SingleQuotedString(_) => {}
            _ => parts += 1,
        }
        // The parser counts no depth between an interval and what follows it.
        let before = previous.map(|token| &token.token);
        let interval =
            matches!(before, Some(Token::Word(word)) if word.keyword == Keyword::INTERVAL);
        if interval && !matches!(token.token, Token::SingleQuotedString(_)) {
            (problem, at) = (
                Some(RuleProblem::NotAvailable {
                    construct: INTERVAL_FORM.into(),
                }),
                token.span,
            );
        }
        if depth > MAX_BRACKETS || parts > MAX_PARTS {
            (problem, at) = (Some(RuleProblem::TooComplex), token.span);
        }
        if let Some(problem) = problem {
            return Err(vec![Finding {
                span: positions.between(at),
                problem,
            }]);
        }
        previous = Some(token);
    }
    Ok(())
}

/// Finds a function that is not known before a bracket. The parser tries some of them in several
/// ways, and nested, the ways multiply.
fn unknown_call(before: &TokenWithSpan) -> Option<RuleProblem> {
    let Token::Word(word) = &before.token else {
        return None;
    };
    let subquery = matches!(
        word.keyword,
        Keyword::ALL | Keyword::ANY | Keyword::EXISTS | Keyword::SELECT | Keyword::WITH
    );
    let known = word.quote_style.is_none()
        && (vocabulary::arguments(&word.value).is_some()
            || vocabulary::couples_rows(&word.value)
            || BEFORE_BRACKETS.contains(&word.value.to_ascii_uppercase().as_str()));
    let construct = if subquery {
        "a subquery".to_owned()
    } else {
        let name = &word.value;
        format!("the function `{name}`{}", vocabulary::instead(name))
    };
    (!known).then_some(RuleProblem::NotAvailable { construct })
}

/// Words of the language itself that a bracket may follow.
const BEFORE_BRACKETS: &[&str] = &[
    "AND", "BETWEEN", "CASE", "CAST", "CEIL", "ELSE", "EXTRACT", "FLOOR", "FROM", "IN", "LIKE",
    "NOT", "OR", "OVER", "THEN", "TRY_CAST", "WHEN",
];

/// The deepest nesting of brackets.
pub(super) const MAX_BRACKETS: usize = 10;

/// The most words and operators; items of a list do not count.
const MAX_PARTS: usize = 300;
