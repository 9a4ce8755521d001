/** Texts of tenants as words of HAProxy's configuration file, whatever is in them. */

/** One word. */
export const quoted = (text: string): string => `"${text.replaceAll(/["\\$]/g, '\\$&')}"`;

/** The argument of a sample fetch, within a word that is quoted: there, quotes begin a text of its own. */
export const argument = (text: string): string => text.replaceAll("'", "\\'");

/** What takes HAProxy's log format and is to mean just what it says. */
export const formatted = (text: string): string => quoted(text.replaceAll('%', '%%'));
