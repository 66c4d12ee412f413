//! One SQL expression of a rule: screened, then compiled by polars, then checked against the columns' types.
//!
//! Polars' own SQL goes far beyond expressions over one row: its subqueries read files, its aggregates look
//! at other rows, and some of its functions panic on odd arguments. So the text is parsed once by the very
//! parser that polars uses, and every node of the tree must be of a kind that [`screen`] knows. Only then
//! does polars see it.

mod functions;
mod position;
mod screen;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::DataType;
use polars::sql::sql_expr;
use polars_lazy::prelude::{Expr, IntoLazy, Operator};
use sqlparser::ast::Expr as SqlExpr;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use self::position::Positions;
use self::screen::Screen;
use crate::columns::{Cell, Columns, days, iso_date};
use crate::error::RuleProblem;

/// An expression that polars can evaluate row by row.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) plan: Expr,
    /// The columns that the expression names.
    pub(crate) columns: BTreeSet<String>,
    /// The type of its value.
    pub(crate) dtype: DataType,
    /// What it says, where it is of the form `column = literal` or `column IS NULL`.
    pub(crate) assignment: Option<Assignment>,
}

/// A value for a column that makes an expression true.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) column: String,
    /// `None` stands for a missing value.
    pub(crate) cell: Option<Cell>,
}

/// A problem and the part of the expression's text that it is about; `None` stands for all of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) span: Option<Range<usize>>,
    pub(crate) problem: RuleProblem,
}

impl Expression {
    /// Compiles an expression over the columns; all findings at once.
    pub(crate) fn compile(text: &str, columns: &Columns) -> Result<Self, Vec<Finding>> {
        let screened = screen(text, columns)?;
        let types = |error: polars::error::PolarsError| {
            vec![Finding {
                span: None,
                problem: RuleProblem::Types {
                    detail: one_line(&error),
                },
            }]
        };
        let plan = sql_expr(&screened.text)
            .map_err(types)?
            .map_expr(date_literal);
        if let Some(detail) = mixed_types(&plan, columns) {
            return Err(vec![Finding {
                span: None,
                problem: RuleProblem::Types { detail },
            }]);
        }
        // With no rows there is nothing but types left to fail on.
        let value = columns
            .empty_frame()
            .lazy()
            .select([plan.clone().alias("value")])
            .collect()
            .map_err(types)?;
        Ok(Self {
            plan,
            columns: screened.columns,
            dtype: value.columns()[0].dtype().clone(),
            assignment: screened.assignment,
        })
    }

    /// Compiles an expression that must be true, false or unknown.
    pub(crate) fn compile_condition(text: &str, columns: &Columns) -> Result<Self, Vec<Finding>> {
        let expression = Self::compile(text, columns)?;
        if expression.dtype == DataType::Boolean {
            return Ok(expression);
        }
        Err(vec![Finding {
            span: None,
            problem: RuleProblem::NotBoolean {
                found: in_words(&expression.dtype).to_owned(),
            },
        }])
    }
}

/// What is left of an expression once every part of it is known to be harmless.
struct Screened {
    text: String,
    columns: BTreeSet<String>,
    assignment: Option<Assignment>,
}

fn screen(text: &str, columns: &Columns) -> Result<Screened, Vec<Finding>> {
    let whole = |problem| {
        vec![Finding {
            span: None,
            problem,
        }]
    };
    if text.len() > MAX_BYTES {
        return Err(whole(RuleProblem::TooLong { limit: MAX_BYTES }));
    }
    let positions = Positions::new(text);
    let tokens = Tokenizer::new(&GenericDialect, text)
        .tokenize_with_location()
        .map_err(|error| {
            vec![Finding {
                span: Some(positions.from(error.location)),
                problem: RuleProblem::Syntax {
                    detail: error.message,
                },
            }]
        })?;
    check_complexity(&tokens, &positions)?;
    let sql = parse(tokens, &positions)?;

    let mut screen = Screen::new(columns, &positions);
    let shape = screen.visit(&sql);
    let mut findings = screen.findings;
    if findings.is_empty() && screen.columns.is_empty() {
        findings = whole(RuleProblem::NoColumn);
    }
    if findings.is_empty() && (shape.size > MAX_SIZE || shape.depth > MAX_DEPTH) {
        findings = whole(RuleProblem::TooComplex);
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    // From the back, so that each insertion leaves the earlier positions alone.
    let mut text = text.to_owned();
    screen.date_literals.sort_unstable();
    for start in screen.date_literals.iter().rev() {
        text.insert_str(*start, "DATE ");
    }
    Ok(Screened {
        text,
        columns: screen.columns,
        assignment: screen::assignment(&sql, columns),
    })
}

/// Parses with the options that polars sets, so that both see the same tree.
fn parse(tokens: Vec<TokenWithSpan>, positions: &Positions) -> Result<SqlExpr, Vec<Finding>> {
    let syntax = |span, detail| {
        vec![Finding {
            span,
            problem: RuleProblem::Syntax { detail },
        }]
    };
    let options = ParserOptions {
        trailing_commas: true,
        ..ParserOptions::default()
    };
    let mut parser = Parser::new(&GenericDialect)
        .with_options(options)
        .with_tokens_with_locations(tokens);
    let sql = parser.parse_expr().map_err(|error| {
        let message = error.to_string();
        let detail = message.split(" at Line").next().unwrap_or_default();
        let detail = detail.strip_prefix("sql parser error: ").unwrap_or(detail);
        // The parser's place of failure is the token that it looks at.
        let span = parser.peek_token_ref().span;
        syntax(positions.between(span), detail.to_owned())
    })?;
    let next = parser.peek_token_ref();
    if next.token != Token::EOF {
        return Err(syntax(
            positions.between(next.span),
            format!("found `{}` after its end", next.token),
        ));
    }
    Ok(sql)
}

/// Refuses, before anything recurses, what could exhaust the stack or the parser's patience.
fn check_complexity(tokens: &[TokenWithSpan], positions: &Positions) -> Result<(), Vec<Finding>> {
    let (mut depth, mut parts) = (0_usize, 0_usize);
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            // Lists are flat: their items and commas nest nothing.
            Token::Whitespace(_)
            | Token::Comma
            | Token::Number(..)
            | Token::SingleQuotedString(_) => {}
            _ => parts += 1,
        }
        if depth > MAX_BRACKETS || parts > MAX_PARTS {
            return Err(vec![Finding {
                span: positions.between(token.span),
                problem: RuleProblem::TooComplex,
            }]);
        }
    }
    Ok(())
}

/// Turns a date that is still text into a date: polars would read the text once for every evaluation, and
/// print a deprecation notice.
fn date_literal(expr: Expr) -> Expr {
    if let Expr::Cast {
        expr: inner, dtype, ..
    } = &expr
        && dtype.as_literal() == Some(&DataType::Date)
        && let Expr::Literal(literal) = &**inner
        && let Some(date) = literal.extract_str().and_then(iso_date)
    {
        return Cell::Date(days(date)).literal();
    }
    expr
}

/// Finds an operator between a date or a length of time and a number, which polars computes in the units
/// that it happens to store, and a conjunction of numbers, which it computes bit by bit.
fn mixed_types(plan: &Expr, columns: &Columns) -> Option<String> {
    let frame = columns.empty_frame();
    let schema = frame.schema();
    let nodes: Vec<&Expr> = plan.into_iter().collect();
    // From the leaves, so that nothing is asked of an operator whose operands are known to be wrong.
    nodes.into_iter().rev().find_map(|node| {
        let Expr::BinaryExpr { left, op, right } = node else {
            return None;
        };
        let (sides, conjunction) = ([left, right], matches!(op, Operator::And | Operator::Or));
        let (left, right) = (
            left.to_field(schema).ok()?.dtype,
            right.to_field(schema).ok()?.dtype,
        );
        let mixed = (left.is_temporal() && right.is_numeric())
            || (left.is_numeric() && right.is_temporal());
        let number =
            |(side, dtype): (&&Arc<Expr>, &DataType)| dtype.is_numeric() && !compares_missing(side);
        let bitwise = conjunction && sides.iter().zip([&left, &right]).any(number);
        (mixed || bitwise).then(|| {
            format!(
                "`{op}` between {} and {}",
                in_words(&left),
                in_words(&right)
            )
        })
    })
}

/// Returns whether polars gives the type of this expression wrongly: it takes `IS DISTINCT FROM` to have the
/// type of its operands.
fn compares_missing(plan: &Expr) -> bool {
    plan.into_iter().any(|node| {
        matches!(
            node,
            Expr::BinaryExpr {
                op: Operator::EqValidity | Operator::NotEqValidity,
                ..
            }
        )
    })
}

/// Names a polars type for someone who has never heard of polars.
fn in_words(dtype: &DataType) -> &'static str {
    match dtype {
        DataType::String => "text",
        DataType::Date | DataType::Datetime(..) => "a date",
        DataType::Duration(_) => "a length of time",
        DataType::Null => "nothing but missing values",
        dtype if dtype.is_numeric() => "a number",
        _ => "a value of another type",
    }
}

/// Returns the first line of an error of polars; the rest shows its query plan.
fn one_line(error: &polars::error::PolarsError) -> String {
    const LONGEST: usize = 160;
    let text = error.to_string();
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(LONGEST)
        .collect()
}

/// The longest expression, in bytes.
const MAX_BYTES: usize = 4_096;

/// The deepest nesting of brackets.
const MAX_BRACKETS: usize = 16;

/// The most nodes of the compiled expression on the longest way down. Polars recurses, and its worker threads
/// have small stacks.
const MAX_DEPTH: u64 = 24;

/// The most words and operators; items of a list do not count.
const MAX_PARTS: usize = 300;

/// The most nodes of the compiled expression, in which some operands occur twice.
const MAX_SIZE: u64 = 4_000;

#[cfg(test)]
mod tests;
