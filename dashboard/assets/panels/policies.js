import { html, Panel, Table, Empty, Behind, Spark, loaded } from '../ui.js';
import { list, terms, topics, go, view } from '../state.js';
import { match } from '../filter.js';
import { rate, pct, dur, times, num, words, tone } from '../format.js';

const worst = r => Object.entries(r.outcomes).filter(([k]) => !k.startsWith('success')).sort((a, b) => b[1] - a[1])[0];
const two = (a, b) => html`${a}<small>${b}</small>`;

const cols = [
	{ key: 'name', label: 'Policy', get: r => r.name, css: 'name', show: r => html`<button type="button" class="plain" aria-pressed=${view.value.policy === r.name} title=${r.policy} onClick=${() => go({ policy: view.value.policy === r.name ? '' : r.name }, true)}>${r.name}</button>` },
	{ key: 'trend', label: 'Two minutes', css: 'extra', show: r => html`<${Spark} values=${topics.trends.value?.[r.name] || []} />` },
	{ key: 'success', label: 'Success', num: true, css: 'two', get: r => r.success, show: r => html`<${Behind} filter=${'policy:' + r.name + ' kind:failed'} label=${'success of ' + r.name + ', events behind it'}><span class=${tone(r.success)}>${pct(r.success)}</span><//><small>first try ${pct(r.first_try)}</small>` },
	{ key: 'calls', label: 'Calls', num: true, css: 'two', get: r => r.calls, show: r => two(rate(r.calls), r.retries ? '+' + num(r.retries) + ' retries' : 'no retries') },
	{ key: 'amp', label: 'Amplification', num: true, get: r => r.amplification, show: r => html`<span class=${r.amplification > 1.5 ? 'bad' : r.amplification > 1.2 ? 'warn' : ''}>${times(r.amplification)}</span>` },
	{ key: 'p50', label: 'p50', num: true, css: 'two', get: r => r.call_p50, show: r => two(dur(r.call_p50), 'attempt ' + dur(r.attempt_p50)) },
	{ key: 'p99', label: 'p99', num: true, css: 'two', get: r => r.call_p99, show: r => two(dur(r.call_p99), 'attempt ' + dur(r.attempt_p99)) },
	{ key: 'flight', label: 'In flight', num: true, css: 'two tight', get: r => r.in_flight, show: r => two(num(r.in_flight), r.waiting ? num(r.waiting) + ' wait' : '') },
	{ key: 'worst', label: 'Mostly failing as', get: r => (worst(r) || [])[1], show: r => { const w = worst(r); return w ? html`<${Behind} filter=${'policy:' + r.name + ' outcome:' + w[0]}>${num(w[1])} ${words(w[0])}<//>` : html`<span class="dim">nothing</span>`; } },
];

export default function Policies({ full }) {
	const all = list('policies'), rows = all.filter(r => match(terms.value, { policy: r.name }, [r.name, r.component, r.policy])).sort((a, b) => (a.name < b.name ? -1 : 1));
	return html`<${Panel} id="policies" title="Policies" wide="w12" sub=${rows.length < all.length ? rows.length + ' of ' + all.length : all.length || ''}>
		<${Table} id="policies" label="Policies" cols=${cols} rows=${rows} keyOf=${r => r.name} loaded=${loaded('policies')} height=${full ? 0 : 420}
			empty=${all.length ? html`<${Empty} title="No policy matches the filter">${all.length} are hidden by it.<//>` : html`<${Empty} title="No policies yet" cmd="relent demo">A policy appears when its operation is registered. To see some at work, run<//>`} /><//>`;
}
