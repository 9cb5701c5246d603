//! The attribute `#[testenv::test]`. Its documentation is that of the harness.

mod options;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Error, FnArg, ItemFn, parse_macro_input};

use options::Options;

/// See `testenv::test`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, function: TokenStream) -> TokenStream {
    let options = parse_macro_input!(options as Options);
    let function = parse_macro_input!(function as ItemFn);
    expanded(&options, function).unwrap_or_else(Error::into_compile_error).into()
}

fn expanded(options: &Options, mut function: ItemFn) -> Result<Tokens, Error> {
    let attributes = std::mem::take(&mut function.attrs);
    let visibility = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
    let arguments = types(&function)?;
    if let Some(option) = options.needs_database.filter(|_| arguments.is_empty()) {
        return Err(Error::new(
            option,
            "the test asks for no database: give it an argument `db: Db`",
        ));
    }
    // What the function is called with, and what is kept until it has returned.
    let values: Vec<_> = (0..arguments.len()).map(|at| format_ident!("value_{at}")).collect();
    let guards: Vec<_> = (0..arguments.len()).map(|at| format_ident!("_guard_{at}")).collect();
    // The types alone do not say it: one of the project's own may ask for a database.
    let expect = options.needs_database.as_ref().map(|_| quote!(wanted.expect_database();));
    let (name, returned) = (&function.sig.ident, &function.sig.output);
    let wanted = options.wanted();
    let give = arguments
        .iter()
        .map(|argument| quote!(<#argument as ::testenv::argument::Argument>::give(&wanted)));
    if function.sig.asyncness.is_some() {
        let runtime = &options.of_the_runtime;
        return Ok(quote! {
            #[::tokio::test(#(#runtime),*)]
            #(#attributes)*
            #visibility async fn #name() #returned {
                #function
                let wanted = #wanted;
                #(let (#values, #guards) = #give.await;)*
                #expect
                #name(#(#values),*).await
            }
        });
    }
    if let Some(option) = options.of_the_runtime.first() {
        let what = "this is an option of the runtime, which a function that is not async has not";
        return Err(Error::new(option.span(), what));
    }
    Ok(quote! {
        #[::core::prelude::v1::test]
        #(#attributes)*
        #visibility fn #name() #returned {
            #function
            let wanted = #wanted;
            #(let (#values, #guards) = ::testenv::blocking::wait(#give);)*
            #expect
            #name(#(#values),*)
        }
    })
}

/// The types of the arguments.
fn types(function: &ItemFn) -> Result<Vec<&syn::Type>, Error> {
    if !function.sig.generics.params.is_empty() {
        let what = "a test has no parameters of its type";
        return Err(Error::new(function.sig.generics.span(), what));
    }
    let inputs = function.sig.inputs.iter();
    inputs
        .map(|input| match input {
            FnArg::Typed(argument) => Ok(&*argument.ty),
            FnArg::Receiver(this) => Err(Error::new(this.span(), "a test is a free function")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proc_macro2::TokenStream as Tokens;
    use quote::quote;

    use super::expanded;

    fn of(options: Tokens, function: Tokens) -> Result<String, String> {
        let options = syn::parse2(options).map_err(|error| error.to_string())?;
        let test = expanded(&options, syn::parse2(function).unwrap());
        test.map(|test| test.to_string()).map_err(|error| error.to_string())
    }

    fn refused(options: Tokens, function: Tokens) -> String {
        of(options, function).unwrap_err()
    }

    #[test]
    fn what_it_does_not_know_is_left_to_tokio_and_to_the_compiler() {
        let test = of(
            quote!(flavor = "multi_thread", migrations = false),
            quote!(
                #[cfg(unix)]
                async fn works(db: Db) -> Result<(), E> {}
            ),
        )
        .unwrap();

        assert!(
            test.starts_with("# [:: tokio :: test (flavor = \"multi_thread\")] # [cfg (unix)]"),
            "{test}"
        );
        assert!(test.contains("async fn works () -> Result < () , E >"), "{test}");
        assert!(
            !of(
                quote!(),
                quote!(
                    fn works() {}
                )
            )
            .unwrap()
            .contains("tokio")
        );
    }

    #[test]
    fn bad_options_are_refused_with_what_to_write() {
        let asks = || {
            quote!(
                fn works(db: Db) {}
            )
        };
        for (options, words) in [
            (quote!(migrations), "write migrations = \"folder\""),
            (quote!(migrations = 7), "a folder in quotation marks, or false"),
            (quote!(migrations = true), "a folder in quotation marks, or false"),
            (quote!(migrator = 7), "the path of a static of sqlx::migrate!()"),
            (quote!(fixtures = "users"), "fixtures(\"name\", …)"),
            (quote!(fixtures(of = "users")), "write fixtures(\"name\", …)"),
            (quote!(template = a(), migrations = "b"), "a database has one template"),
            (quote!(start_paused = true), "a function that is not async has not"),
        ] {
            let refused = refused(options.clone(), asks());
            assert!(refused.contains(words), "{options}: {refused}");
        }
        let none = refused(
            quote!(fixtures("users")),
            quote!(
                async fn works() {}
            ),
        );
        assert!(none.contains("give it an argument `db: Db`"), "{none}");
        let method = refused(
            quote!(),
            quote!(
                fn works(self) {}
            ),
        );
        assert!(method.contains("a free function"), "{method}");
        let generic = refused(
            quote!(),
            quote!(
                fn works<T>(db: T) {}
            ),
        );
        assert!(generic.contains("no parameters of its type"), "{generic}");
    }
}
