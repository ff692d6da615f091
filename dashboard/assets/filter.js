// Filters as the server has them: words that all must match; field:pattern with *; a minus turns round.
const fields = ['policy', 'target', 'kind', 'class', 'outcome', 'reason', 'trace', 'instance'];

const glob = p => new RegExp('^' + p.replace(/[.+^${}()|\\[\]]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.') + '$');

export function parse(text) {
	return text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 16).map(w => {
		const not = w.length > 1 && w[0] === '-';
		if (not) w = w.slice(1);
		const i = w.indexOf(':'), field = fields.includes(w.slice(0, i)) && w.slice(0, i);
		return field ? { not, field, glob: glob(w.slice(i + 1)) } : { not, text: w };
	});
}

// match ignores fields that this kind of thing does not have.
export function match(terms, thing, texts) {
	return terms.every(t => {
		if (t.text) return texts.some(s => (s || '').toLowerCase().includes(t.text)) !== t.not;
		return !(t.field in thing) || t.glob.test((thing[t.field] || '').toLowerCase()) !== t.not;
	});
}

const blank = Object.fromEntries(fields.map(f => [f, '']));
export const matchNote = (terms, n) => !terms.length || match(terms, { ...blank, ...n }, [...fields.map(f => n[f]), n.text]);
