//! What the source of the store says in SQL: whole statements, and the pieces that others are put
//! together from.

use syn::visit::{self, Visit};

use super::executed::folded;
use crate::house::floors::{is_test, modules_of_tests, sources};

/// A piece of SQL and where it stands.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) module: String,
    pub(super) text: String,
}

/// How a statement begins.
const VERBS: [&str; 10] = [
    "SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "CREATE ", "DROP ", "PRAGMA ", "VACUUM ",
    "BEGIN ",
];

/// Every piece outside of tests.
pub(super) fn pieces() -> Vec<Piece> {
    let files: Vec<(Vec<String>, syn::File)> = sources()
        .into_iter()
        .filter(|(module, _)| module.first().is_some_and(|floor| floor == "store"))
        .map(|(module, text)| (module, syn::parse_file(&text).unwrap()))
        .collect();
    let of_tests: Vec<Vec<String>> = files
        .iter()
        .flat_map(|(module, file)| modules_of_tests(module, file))
        .collect();
    files
        .iter()
        .filter(|(module, _)| !of_tests.contains(module))
        .flat_map(|(module, file)| read(&module.join("::"), file))
        .collect()
}

/// Every piece of one file.
pub(super) fn pieces_of(module: &str, source: &str) -> Vec<Piece> {
    read(module, &syn::parse_file(source).unwrap())
}

fn read(module: &str, file: &syn::File) -> Vec<Piece> {
    let mut reader = Reader::default();
    reader.visit_file(file);
    let found = reader.found.into_iter();
    let piece = |text| Piece {
        module: module.to_owned(),
        text,
    };
    found.map(piece).collect()
}

#[derive(Default)]
struct Reader {
    /// Within what is pushed to a statement, where every text is SQL.
    pushed: bool,
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let before = self.pushed;
        self.pushed = call.method == "push";
        call.args.iter().for_each(|one| self.visit_expr(one));
        self.pushed = before;
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let arguments = syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(arguments) = call.parse_body_with(arguments) {
            let mut within = Reader::default();
            arguments.iter().for_each(|one| within.visit_expr(one));
            self.found.append(&mut within.found);
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        let text = folded(&literal.value());
        let begins = VERBS.iter().any(|verb| text.starts_with(verb));
        // Other things than statements are pushed to as well; a word alone says nothing in SQL.
        if begins || (self.pushed && text.contains([' ', '(', ')'])) {
            self.found.push(text);
        }
    }
}
