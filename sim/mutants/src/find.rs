//! Finds the places of a file that can be changed.

use anyhow::{Context as _, Result};
use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, BinOp, Expr, ImplItemFn, ItemConst, ItemFn, ItemMod, ItemStatic, Lit, Stmt, Token, UnOp,
};

use crate::point::{Kind, Point};

/// Methods that give a truth.
const TRUTHS: [&str; 9] =
    ["is_some", "is_none", "is_empty", "contains", "contains_key", "is_some_and", "is_none_or", "any", "all"];

/// Methods and the one that is put in their place.
const TURNED: [(&str, &str); 6] = [
    ("max", "min"),
    ("min", "max"),
    ("saturating_sub", "saturating_add"),
    ("saturating_add", "saturating_sub"),
    ("any", "all"),
    ("all", "any"),
];

/// All points of a source, in the order in which they are found.
pub(crate) fn points(source: &str) -> Result<Vec<Point>> {
    let file = syn::parse_file(source).context("this is no Rust file")?;
    let mut finder = Finder { source, points: Vec::new(), functions: Vec::new() };
    finder.visit_file(&file);
    Ok(finder.points)
}

struct Finder<'s> {
    source: &'s str,
    points: Vec<Point>,
    functions: Vec<String>,
}

impl Finder<'_> {
    fn text(&self, span: Span) -> &str {
        &self.source[span.byte_range()]
    }

    fn add(&mut self, span: Span, kind: Kind, other: Option<String>) {
        let Some(function) = self.functions.last() else { return };
        // A comment would swallow what follows it: the other expression stands on one line.
        let other = match other {
            Some(other) if other.contains("//") => return,
            other => other.map(|other| other.replace('\n', " ")),
        };
        let (range, line) = (span.byte_range(), span.start().line);
        self.points.push(Point { range, kind, other, function: function.clone(), line });
    }

    fn binary(&mut self, expr: &syn::ExprBinary) {
        let (left, right) = (self.text(expr.left.span()).to_owned(), self.text(expr.right.span()).to_owned());
        let turned = |operator: &str| Some(format!("{left} {operator} {right}"));
        let span = expr.span();
        match &expr.op {
            BinOp::Lt(_) => self.add(span, Kind::Comparison, turned("<=")),
            BinOp::Le(_) => self.add(span, Kind::Comparison, turned("<")),
            BinOp::Gt(_) => self.add(span, Kind::Comparison, turned(">=")),
            BinOp::Ge(_) => self.add(span, Kind::Comparison, turned(">")),
            BinOp::Eq(_) => self.add(span, Kind::Comparison, turned("!=")),
            BinOp::Ne(_) => self.add(span, Kind::Comparison, turned("==")),
            BinOp::And(_) | BinOp::Or(_) if !has_let(&expr.left) && !has_let(&expr.right) => {
                self.add(span, Kind::Condition, Some(left));
                self.add(span, Kind::Condition, Some(right));
            }
            BinOp::Add(_) => self.add(span, Kind::Arithmetic, turned("-")),
            BinOp::Sub(_) => self.add(span, Kind::Arithmetic, turned("+")),
            BinOp::Mul(_) => self.add(span, Kind::Arithmetic, turned("/")),
            BinOp::Div(_) => self.add(span, Kind::Arithmetic, turned("*")),
            _ => {}
        }
    }

    fn method(&mut self, call: &syn::ExprMethodCall) {
        let (whole, name) = (call.span(), call.method.to_string());
        let text = self.text(whole).to_owned();
        if let Some((_, other)) = TURNED.iter().find(|(known, _)| *known == name) {
            let (begin, at) = (whole.byte_range().start, call.method.span().byte_range());
            let (before, after) = (&text[..at.start - begin], &text[at.end - begin..]);
            self.add(whole, Kind::Arithmetic, Some(format!("{before}{other}{after}")));
        }
        if TRUTHS.contains(&name.as_str()) || name.starts_with("is_") && call.args.is_empty() {
            self.add(whole, Kind::Condition, Some(format!("!{text}")));
        }
        self.swapped(whole, &call.args);
    }

    /// Each pair of neighbouring arguments, where they look as if they could be of one type.
    fn swapped(&mut self, whole: Span, arguments: &Punctuated<Expr, Token![,]>) {
        let spans: Vec<_> = arguments.iter().map(|argument| argument.span().byte_range()).collect();
        let begin = whole.byte_range().start;
        for pair in spans.windows(2) {
            let text = self.text(whole);
            let (one, two) =
                (pair[0].start - begin..pair[0].end - begin, pair[1].start - begin..pair[1].end - begin);
            let swapped = [
                &text[..one.start],
                &text[two.clone()],
                &text[one.end..two.start],
                &text[one],
                &text[two.end..],
            ];
            self.add(whole, Kind::Arguments, Some(swapped.concat()));
        }
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if is_test(&function.attrs) || function.sig.constness.is_some() {
            return;
        }
        self.functions.push(function.sig.ident.to_string());
        visit::visit_item_fn(self, function);
        self.functions.pop();
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if function.sig.constness.is_some() {
            return;
        }
        self.functions.push(function.sig.ident.to_string());
        visit::visit_impl_item_fn(self, function);
        self.functions.pop();
    }

    fn visit_item_const(&mut self, _: &'ast ItemConst) {}

    fn visit_item_static(&mut self, _: &'ast ItemStatic) {}

    fn visit_type(&mut self, _: &'ast syn::Type) {}

    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_expr(&mut self, expr: &'ast Expr) {
        match expr {
            Expr::Binary(binary) => self.binary(binary),
            Expr::MethodCall(call) => self.method(call),
            Expr::Call(call) => self.swapped(call.span(), &call.args),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let without = self.text(unary.expr.span()).to_owned();
                self.add(unary.span(), Kind::Condition, Some(without));
            }
            Expr::If(conditional) if !has_let(&conditional.cond) => {
                let condition = format!("!({})", self.text(conditional.cond.span()));
                self.add(conditional.cond.span(), Kind::Condition, Some(condition));
            }
            Expr::Lit(literal) => match &literal.lit {
                Lit::Int(number) => {
                    if let Ok(value) = number.base10_parse::<u32>() {
                        let more = format!("{}{}", value + 1, number.suffix());
                        self.add(literal.span(), Kind::Constant, Some(more));
                    }
                }
                Lit::Bool(truth) => {
                    self.add(literal.span(), Kind::Constant, Some((!truth.value).to_string()))
                }
                _ => {}
            },
            Expr::Path(path) => {
                let name = path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
                let is_constant =
                    name.len() > 2 && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
                if is_constant {
                    let text = self.text(path.span());
                    let half = format!("{text} / 2");
                    self.add(path.span(), Kind::Constant, Some(half));
                }
            }
            _ => {}
        }
        visit::visit_expr(self, expr);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(Expr::MethodCall(_) | Expr::Call(_) | Expr::Assign(_) | Expr::Binary(_), Some(_)) =
            statement
        {
            self.add(statement.span(), Kind::Statement, None);
        }
        visit::visit_stmt(self, statement);
    }

    /// The left sides of assignments are places, not values.
    fn visit_expr_assign(&mut self, assign: &'ast syn::ExprAssign) {
        self.visit_expr(&assign.right);
    }

    fn visit_expr_reference(&mut self, reference: &'ast syn::ExprReference) {
        if reference.mutability.is_none() {
            visit::visit_expr_reference(self, reference);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is = |name: &str| attribute.path().is_ident(name);
        is("test")
            || is("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// Whether a condition has a `let`: then only its parts are values.
fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        Expr::Paren(inner) => has_let(&inner.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(body: &str) -> Vec<String> {
        let points = points(&format!("fn f() {{ {body} }}")).unwrap();
        points.into_iter().map(|point| point.other.unwrap_or_else(|| "deleted".into())).collect()
    }

    #[test]
    fn comparisons_conditions_and_statements_are_found() {
        assert_eq!(others("a < b"), ["a <= b"]);
        assert_eq!(others("a && b"), ["a", "b"]);
        assert_eq!(others("a.go();"), ["deleted"]);
        assert_eq!(others("if a { b }"), ["!(a)"]);
        assert_eq!(others("f(a, b)"), ["f(b, a)"]);
        assert_eq!(others("a.max(b)"), ["a.min(b)"]);
        assert_eq!(others("LIMIT_MAX"), ["LIMIT_MAX / 2"]);
    }

    #[test]
    fn what_is_no_value_is_left_alone() {
        assert!(others("if let Some(a) = b && c {}").is_empty());
        let none = points("#[cfg(test)] mod tests { fn f() { a < b; } } const A: u32 = 1 + 2;").unwrap();
        assert!(none.is_empty());
    }
}
