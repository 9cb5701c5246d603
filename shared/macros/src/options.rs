//! What stands in the brackets of the attribute.

use proc_macro2::{Span, TokenStream as Tokens};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Meta, Path, Token};

/// What the attribute says.
#[derive(Default)]
pub(crate) struct Options {
    template: Option<Template>,
    fixtures: Vec<LitStr>,
    /// Where an option is that is about databases.
    pub(crate) needs_database: Option<Span>,
    /// For `#[tokio::test]`.
    pub(crate) of_the_runtime: Vec<Meta>,
}

enum Template {
    /// `migrations = "folder"`
    Folder(LitStr),
    /// `migrations = false`
    Nothing,
    /// `migrator = path::MIGRATOR`
    Migrator(Path),
    /// `template = expression`
    Made(Box<Expr>),
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Options> {
        let mut options = Options::default();
        for option in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            options.take(option)?;
        }
        Ok(options)
    }
}

impl Options {
    fn take(&mut self, option: Meta) -> syn::Result<()> {
        let place = option.span();
        let template = match (&option, name(option.path()).as_str()) {
            (Meta::NameValue(pair), "migrations") => migrations(&pair.value)?,
            (Meta::NameValue(pair), "migrator") => Template::Migrator(path(&pair.value)?),
            (Meta::NameValue(pair), "template") => Template::Made(Box::new(pair.value.clone())),
            (Meta::List(list), "fixtures") => {
                self.fixtures.extend(list.parse_args_with(fixtures)?);
                self.needs_database = Some(place);
                return Ok(());
            }
            (_, "migrations" | "migrator" | "template" | "fixtures") => {
                return Err(Error::new(
                    place,
                    "write migrations = \"folder\", migrations = false, migrator = path::MIGRATOR, \
                     template = expression, or fixtures(\"name\", …)",
                ));
            }
            _ => {
                self.of_the_runtime.push(option);
                return Ok(());
            }
        };
        if self.template.replace(template).is_some() {
            return Err(Error::new(place, "a database has one template"));
        }
        self.needs_database = Some(place);
        Ok(())
    }

    /// The expression of what the arguments are made with.
    pub(crate) fn wanted(&self) -> Tokens {
        let mut wanted = quote!(::testenv::argument::Wanted::new(env!("CARGO_MANIFEST_DIR")));
        let template = self.template.as_ref().map(|template| match template {
            Template::Folder(folder) => quote!(::testenv::Template::folder(#folder)),
            Template::Nothing => quote!(::testenv::Template::sql("")),
            Template::Migrator(path) => quote!(::testenv::Template::migrations(&#path)),
            Template::Made(made) => quote!(#made),
        });
        if let Some(template) = template {
            wanted = quote!(#wanted.of(|| #template));
        }
        for fixture in &self.fixtures {
            wanted = quote!(#wanted.with(#fixture, include_str!(#fixture)));
        }
        wanted
    }
}

fn name(path: &Path) -> String {
    path.get_ident().map(ToString::to_string).unwrap_or_default()
}

fn migrations(value: &Expr) -> syn::Result<Template> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(folder), .. }) => Ok(Template::Folder(folder.clone())),
        Expr::Lit(ExprLit { lit: Lit::Bool(any), .. }) if !any.value => Ok(Template::Nothing),
        other => Err(Error::new(other.span(), "a folder in quotation marks, or false")),
    }
}

/// A path, in quotation marks or not.
fn path(value: &Expr) -> syn::Result<Path> {
    match value {
        Expr::Path(path) => Ok(path.path.clone()),
        Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => path.parse(),
        other => Err(Error::new(other.span(), "the path of a static of sqlx::migrate!()")),
    }
}

/// `"users"`, `"../users.sql"`, or `path = "folder", scripts("users")`: the files, seen from the
/// test's source.
fn fixtures(input: ParseStream<'_>) -> syn::Result<Vec<LitStr>> {
    if input.peek(LitStr) {
        let names = Punctuated::<LitStr, Token![,]>::parse_terminated(input)?;
        return Ok(names.iter().map(|name| file("fixtures", name)).collect());
    }
    let mut folder = None;
    let mut scripts = Vec::new();
    for option in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
        match (&option, name(option.path()).as_str()) {
            (
                Meta::NameValue(syn::MetaNameValue {
                    value: Expr::Lit(ExprLit { lit: Lit::Str(path), .. }),
                    ..
                }),
                "path",
            ) => folder = Some(path.value()),
            (Meta::List(list), "scripts") => scripts
                .extend(list.parse_args_with(Punctuated::<LitStr, Token![,]>::parse_terminated)?),
            _ => {
                let what = "write fixtures(\"name\", …), or fixtures(path = \"folder\", scripts(\"name\", …))";
                return Err(Error::new_spanned(option.to_token_stream(), what));
            }
        }
    }
    let folder = folder.unwrap_or_else(|| "fixtures".into());
    Ok(scripts.iter().map(|name| file(&folder, name)).collect())
}

fn file(folder: &str, name: &LitStr) -> LitStr {
    let text = name.value();
    let path = if text.ends_with(".sql") { text } else { format!("{folder}/{text}.sql") };
    LitStr::new(&path, name.span())
}
