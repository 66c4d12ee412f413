//! Arithmetic: what cannot be computed is unknown, as a missing value is.
//!
//! Polars lets an integer that grows too large begin again from below, and makes something that is no
//! number of a division by zero or the root of a negative number, which it holds to be larger than
//! every number. A rule would hold or fail by such a value.

use std::sync::Arc;

use polars::prelude::arity::{broadcast_binary_elementwise, unary_elementwise};
use polars::prelude::{
    Column, DataType, Field, Float64Chunked, Int64Chunked, IntoColumn, PolarsResult, Schema,
};
use polars_lazy::dsl::FunctionExpr;
use polars_lazy::prelude::{Expr, Operator};

/// Has a node compute nothing but numbers within their range, where its value is a number over columns
/// of these types. Its operands do so already.
pub(super) fn checked(expr: Expr, schema: &Schema) -> Expr {
    let dtype = expr.to_field(schema).map(|field| field.dtype);
    match (expr, dtype) {
        (Expr::BinaryExpr { left, op, right }, Ok(DataType::Int64)) => match op {
            Operator::Plus => of_integers(left, right, i64::checked_add),
            Operator::Minus => of_integers(left, right, i64::checked_sub),
            Operator::Multiply => of_integers(left, right, i64::checked_mul),
            Operator::Modulus => remainder(left, right),
            op => Expr::BinaryExpr { left, op, right },
        },
        (Expr::BinaryExpr { left, op, right }, Ok(DataType::Float64)) => match op {
            Operator::Plus => of_floats(left, right, |a, b| a + b),
            Operator::Minus => of_floats(left, right, |a, b| a - b),
            Operator::Multiply => of_floats(left, right, |a, b| a * b),
            Operator::TrueDivide => of_floats(left, right, |a, b| a / b),
            Operator::Modulus => remainder(left, right),
            op => Expr::BinaryExpr { left, op, right },
        },
        (expr @ Expr::Function { .. }, Ok(DataType::Float64)) if leaves_range(&expr) => {
            expr.map(|value| where_float(&value, f64::is_finite), same)
        }
        (expr, _) => expr,
    }
}

/// Whether a function makes of some numbers what is none.
fn leaves_range(expr: &Expr) -> bool {
    use FunctionExpr::{Exp, Log, Pow};
    matches!(
        expr,
        Expr::Function {
            function: Exp | Log | Pow(_),
            ..
        }
    )
}

fn of_integers(left: Arc<Expr>, right: Arc<Expr>, operation: fn(i64, i64) -> Option<i64>) -> Expr {
    let compute = move |operands: &mut [Column]| {
        let name = operands[0].name().clone();
        let [left, right] = [&operands[0], &operands[1]].map(|it| it.cast(&DataType::Int64));
        let values: Int64Chunked =
            broadcast_binary_elementwise(left?.i64()?, right?.i64()?, |a: Option<i64>, b| {
                operation(a?, b?)
            });
        Ok(values.with_name(name).into_column())
    };
    typed(left, right, compute, DataType::Int64)
}

fn of_floats(left: Arc<Expr>, right: Arc<Expr>, operation: fn(f64, f64) -> f64) -> Expr {
    let compute = move |operands: &mut [Column]| {
        let name = operands[0].name().clone();
        let [left, right] = [&operands[0], &operands[1]].map(|it| it.cast(&DataType::Float64));
        let values: Float64Chunked =
            broadcast_binary_elementwise(left?.f64()?, right?.f64()?, |a: Option<f64>, b| {
                Some(operation(a?, b?)).filter(|value| value.is_finite())
            });
        Ok(values.with_name(name).into_column())
    };
    typed(left, right, compute, DataType::Float64)
}

fn typed(
    left: Arc<Expr>,
    right: Arc<Expr>,
    compute: impl Fn(&mut [Column]) -> PolarsResult<Column> + Send + Sync + 'static,
    dtype: DataType,
) -> Expr {
    let [left, right] = [left, right].map(Arc::unwrap_or_clone);
    let field =
        move |_: &Schema, fields: &[Field]| Ok(Field::new(fields[0].name.clone(), dtype.clone()));
    left.map_many(compute, &[right], field)
}

/// A remainder, of which there is none after a division by zero.
fn remainder(left: Arc<Expr>, right: Arc<Expr>) -> Expr {
    let [left, right] = [left, right].map(Arc::unwrap_or_clone);
    let divisor = right.map(
        |divisor| match divisor.dtype() {
            DataType::Float64 => where_float(&divisor, |divisor| divisor != 0.0),
            _ => {
                let divisor = divisor.cast(&DataType::Int64)?;
                let values: Int64Chunked = unary_elementwise(divisor.i64()?, |it: Option<i64>| {
                    it.filter(|divisor| *divisor != 0)
                });
                Ok(values.with_name(divisor.name().clone()).into_column())
            }
        },
        same,
    );
    left % divisor
}

/// The numbers for which `holds`; the others are missing.
fn where_float(value: &Column, holds: fn(f64) -> bool) -> PolarsResult<Column> {
    let values: Float64Chunked =
        unary_elementwise(value.f64()?, |it: Option<f64>| it.filter(|it| holds(*it)));
    Ok(values.with_name(value.name().clone()).into_column())
}

fn same(_: &Schema, field: &Field) -> PolarsResult<Field> {
    Ok(field.clone())
}
