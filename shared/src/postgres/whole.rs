//! What `CREATE DATABASE … TEMPLATE` leaves out: everything that belongs to a database and is not
//! inside it.
//!
//! It is read once per template, as statements. These run for each copy before a test can have it.
//! Most templates have none of it, and cost nothing.
//!
//! Invariant: a copy differs from its template only in its name and its age.

use sqlx::postgres::PgConnection;

use super::server;

/// Who owns a copy, and the statements that complete it. Each statement has a place for the copy's
/// name.
#[derive(Debug, Default)]
pub(super) struct Lacks {
    /// The owner of a copy, as `CREATE DATABASE … OWNER` takes it.
    pub(super) owner: String,
    statements: Vec<(String, String)>,
}

/// A statement: the text before and after the name, and the value of a setting that is a list.
type Row = (String, String, Option<String>);

/// In the order in which the statements run, because the owner gives the rights. A role that no
/// longer exists has no rights.
const READ: &str = r"
WITH d AS (SELECT *, shobj_description(oid, 'pg_database') AS about FROM pg_database WHERE datname = $1),
settings AS (
    SELECT r.rolname, split_part(one, '=', 1) AS name, substr(one, strpos(one, '=') + 1) AS value
    FROM d JOIN pg_db_role_setting AS s ON s.setdatabase = d.oid
    LEFT JOIN pg_roles AS r ON r.oid = s.setrole
    CROSS JOIN unnest(s.setconfig) AS one
    WHERE s.setrole = 0 OR r.oid IS NOT NULL
),
statements AS (
    SELECT 1 AS step, 'OWNER' AS before, quote_ident(pg_get_userbyid(datdba)) AS after, NULL AS list FROM d
    UNION ALL
    SELECT 2, 'REVOKE ALL ON DATABASE ', format(' FROM PUBLIC, %I', r.rolname), NULL
    FROM d JOIN pg_roles AS r ON r.oid = d.datdba WHERE d.datacl IS NOT NULL
    UNION ALL
    SELECT 3, format('GRANT %s ON DATABASE ', a.privilege_type), format(' TO %s%s',
        CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), NULL
    FROM d CROSS JOIN aclexplode(d.datacl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE a.grantee = 0 OR r.oid IS NOT NULL
    UNION ALL
    SELECT 4, 'ALTER DATABASE ', ' CONNECTION LIMIT ' || d.datconnlimit, NULL FROM d WHERE d.datconnlimit >= 0
    UNION ALL
    SELECT 5, CASE WHEN rolname IS NULL THEN 'ALTER DATABASE ' ELSE format('ALTER ROLE %I IN DATABASE ', rolname) END,
        format(' SET %I TO ', name) || CASE WHEN is_list THEN '' ELSE quote_literal(value) END, CASE WHEN is_list THEN value END
    FROM (SELECT *, name IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries',
        'temp_tablespaces', 'unix_socket_directories') AS is_list FROM settings) AS s
    UNION ALL
    SELECT 6, 'COMMENT ON DATABASE ', ' IS ' || quote_literal(substr(about, strpos(about, E'\n') + 1)), NULL
    FROM d WHERE strpos(about, E'\n') > 0
    UNION ALL
    SELECT 7, format('SECURITY LABEL FOR %I ON DATABASE ', l.provider), ' IS ' || quote_literal(l.label), NULL
    FROM d JOIN pg_shseclabel AS l ON l.objoid = d.oid AND l.classoid = 'pg_database'::regclass
)
SELECT before, after, list FROM statements ORDER BY step";

impl Lacks {
    /// Reads what copies of a template lack.
    pub(super) async fn of(admin: &mut PgConnection, template: &str) -> sqlx::Result<Lacks> {
        let rows: Vec<Row> = sqlx::query_as(READ).bind(template).fetch_all(admin).await?;
        let mut lacks = Lacks::default();
        for (before, after, list) in rows {
            match before.as_str() {
                "OWNER" => lacks.owner = after,
                _ => {
                    let list = list.map(|list| literals(&list)).unwrap_or_default();
                    lacks.statements.push((before, after + &list));
                }
            }
        }
        Ok(lacks)
    }

    /// The settings of the database itself, as SQL. The SQL can run in any other database, and
    /// makes the settings there.
    ///
    /// A setting that an older server does not know is skipped, as at the head of a dump.
    pub(super) fn settings(&self) -> String {
        let is_setting = |(before, after): &&(String, String)| {
            before == "ALTER DATABASE " && after.starts_with(" SET ")
        };
        let statements = self.statements.iter().filter(is_setting).map(|(_, after)| {
            let after = after.replace('%', "%%").replace('\'', "''");
            format!(
                "DO $setting$ BEGIN EXECUTE format('ALTER DATABASE %I{after}', current_database()); EXCEPTION WHEN undefined_object THEN NULL; END $setting$;\n"
            )
        });
        statements.collect()
    }

    /// Completes a copy.
    pub(super) async fn give(&self, admin: &mut PgConnection, copy: &str) -> sqlx::Result<()> {
        if self.statements.is_empty() {
            return Ok(());
        }
        let statements =
            self.statements.iter().map(|(before, after)| format!("{before}\"{copy}\"{after};"));
        let sql: String = statements.collect();
        server::execute(admin, sql).await
    }
}

/// The value of a setting that is a list of names, as `SET` takes it: `"a b", c` is `'a b', 'c'`.
/// One literal for the whole list would be one name.
fn literals(list: &str) -> String {
    let mut names = Vec::new();
    let mut rest = list.trim_start();
    while !rest.is_empty() {
        let mut name = String::new();
        let mut is_quoted = false;
        let mut letters = rest.char_indices().peekable();
        let mut end = rest.len();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' if is_quoted && letters.peek().is_some_and(|(_, next)| *next == '"') => {
                    letters.next();
                    name.push('"');
                }
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => {
                    end = at + 1;
                    break;
                }
                letter if letter.is_whitespace() && !is_quoted => {}
                letter => name.push(letter),
            }
        }
        names.push(literal(&name));
        rest = rest[end..].trim_start();
    }
    if names.is_empty() { literal("") } else { names.join(", ") }
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::literals;

    #[test]
    fn each_name_of_a_list_is_a_literal_of_its_own() {
        assert_eq!(literals(r#""$user", public"#), "'$user', 'public'");
        assert_eq!(literals(r#""a, ""b""",c"#), r#"'a, "b"', 'c'"#);
        assert_eq!(literals(r#""it's", "back\slash""#), r"'it''s', E'back\\slash'");
        assert_eq!(literals(r#""""#), "''");
        assert_eq!(literals(""), "''");
    }
}
