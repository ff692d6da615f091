import { html, Panel, Table, Empty, Button, State } from '../ui.js';
import { useEffect, useState } from '../vendor/hooks.js';
import { api, me, topics, view, now } from '../state.js';
import { clock, num, ago, words } from '../format.js';

const cols = [
	{ key: 'seq', label: '#', num: true, css: 'dim', show: r => r.seq },
	{ key: 'time', label: 'Time', css: 'mono', show: r => r.time.slice(0, 10) + ' ' + clock(r.time) },
	{ key: 'decision', label: 'Decision', show: r => html`<span class=${'kind ' + ({ stop: 'bad', deny: 'warn', trip: 'bad', resume: 'ok' }[r.decision] || '')}>${r.decision || 'note'}</span>` },
	{ key: 'actor', label: 'Who', css: 'name', show: r => html`${r.actor || ''}${r.approver ? html`<small>with ${r.approver}</small>` : ''}` },
	{ key: 'where', label: 'Where', show: r => r.scope || r.operation || '' },
	{ key: 'state', label: 'State', show: r => words(r.state || r.outcome) },
	{ key: 'why', label: 'Why', css: 'text', show: r => html`<span title=${r.why}>${r.why || r.rule || ''}${r.ticket ? ' (' + r.ticket + ')' : ''}</span>` },
];

export default function Audit() {
	const [rows, set] = useState(null), [error, fail] = useState(''), [check, say] = useState('');
	const a = topics.overview.value?.audit, q = view.value.filter, has = me.value.audit;
	useEffect(() => {
		if (!has) return;
		let gone = false;
		api('audit?limit=500&q=' + encodeURIComponent(q)).then(r => gone || (set(r || []), fail('')), e => gone || fail(e.message));
		return () => (gone = true);
	}, [q, has, a?.records]);
	const mayNot = me.value.role === 'viewer' && 'takes the role operator';
	const verify = () => mayNot || (say('checking…'), api('audit/verify', {}).then(() => say('The whole chain fits.'), e => say(e.message)));
	const tools = has && html`<small role="status">${check}</small><${Button} aria-disabled=${!!mayNot} title=${mayNot || 'check every hash'} onClick=${verify}>Verify<//><a class="button" href=${'api/v1/audit/export?q=' + encodeURIComponent(q)} download>Export</a>`;
	return html`<${Panel} id="audit" title="Audit" wide="w12" tools=${tools} sub=${a ? html`<${State} is=${a.broken || a.write_errors ? 'failing' : a.verified ? 'up' : 'unknown'} word=${a.broken ? 'chain broken' : a.write_errors ? num(a.write_errors) + ' write errors' : a.verified ? 'chain whole' : 'not verified yet'} /> ${num(a.records)} records${a.verified ? ', verified ' + ago(a.verified, now.value) + ' ago' : ''}` : ''}>
		${error && html`<p class="error" role="alert">${error}</p>`}
		${!has ? html`<${Empty} title="No audit log is connected" cmd="dashboard.Config{Audit: …}">Commands are still recorded where the program keeps its log. To read it here, give the dashboard an Audit:<//>` :
		html`<${Table} id="audit" label="Audit records" cols=${cols} rows=${rows || []} keyOf=${r => (r.chain || '') + r.seq} loaded=${rows || error} height=${640} empty=${html`<${Empty} title="No records">${q ? 'None contains the words of the filter.' : 'The first command or retry of an order makes one.'}<//>`} />`}<//>`;
}
