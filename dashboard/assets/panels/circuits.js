import { html, Panel, Table, Empty, State, Behind, loaded } from '../ui.js';
import { list, terms, now } from '../state.js';
import { match } from '../filter.js';
import { pct, ago, ahead, clock } from '../format.js';

const order = ['closed', 'half_open', 'suspect', 'throttling', 'isolated', 'open'];
const History = ({ of }) => html`<span class="ticks" role="img" aria-label=${(of || []).map(t => clock(t.at) + ' ' + t.to).join(', ') || 'no changes'}>${(of || []).slice(-10).map(t => html`<i class=${'s-' + t.to} title=${clock(t.at) + ': ' + t.from + ' to ' + t.to + (t.cause ? ', ' + t.cause : '')} />`)}</span>`;

const cols = [
	{ key: 'policy', label: 'Circuit', get: c => c.policy, css: 'name', show: c => html`<${Behind} filter=${'policy:' + c.policy + ' kind:circuit'}>${c.policy}<//><small>${c.target}${c.critical ? ' · critical' : ''}</small>` },
	{ key: 'state', label: 'State', get: c => order.indexOf(c.state), show: c => html`<span title=${c.cause}><${State} is=${c.state} word=${c.forced && c.state === 'closed' ? 'held closed' : c.state === 'half_open' ? 'probing' : 0} /></span>` },
	{ key: 'cause', label: 'Cause', full: true, css: 'text', show: c => html`<span title=${c.cause}>${c.cause || ''}</span>` },
	{ key: 'since', label: 'Since', num: true, full: true, get: c => -Date.parse(c.since), show: c => ago(c.since, now.value) },
	{ key: 'rate', label: 'Failing', num: true, get: c => c.failure_rate, show: c => pct(c.failure_rate) },
	{ key: 'probe', label: 'Next probe', num: true, get: c => Date.parse(c.next_probe) || 0, show: c => (c.next_probe ? 'in ' + ahead(c.next_probe, now.value) : html`<span class="dim">none</span>`) },
	{ key: 'history', label: 'Last changes', show: c => html`<${History} of=${c.history} />` },
];

export default function Circuits({ full }) {
	const all = list('circuits'), rows = all.filter(c => match(terms.value, { policy: c.policy, target: c.target }, [c.policy, c.target, c.state, c.cause]))
		.sort((a, b) => order.indexOf(b.state) - order.indexOf(a.state) || (a.policy < b.policy ? -1 : 1));
	return html`<${Panel} id="circuits" title="Circuits" wide=${full ? 'w12' : 'w6'} sub=${all.length ? all.filter(c => c.state === 'open' || c.state === 'isolated').length + ' open of ' + all.length : ''}>
		<${Table} id="circuits" label="Circuits" cols=${cols.filter(c => full || !c.full)} rows=${rows} keyOf=${c => c.policy + c.target} loaded=${loaded('circuits')} height=${full ? 0 : 300}
			empty=${all.length ? html`<${Empty} title="No circuit matches the filter">${all.length} are hidden by it.<//>` : html`<${Empty} title="No circuit breakers" cmd="Gates: []retry.Gate{&breaker.Breaker{}}">A policy gets one from its gates:<//>`} /><//>`;
}
