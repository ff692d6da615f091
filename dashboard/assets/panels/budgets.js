import { html, Panel, Table, Empty, Bar, Behind, loaded } from '../ui.js';
import { list, terms } from '../state.js';
import { match } from '../filter.js';
import { num, rate, dur, pct } from '../format.js';

const tone = b => (b.level / b.max < 0.15 ? 'bad' : b.level / b.max < 0.4 ? 'warn' : '');
const cols = [
	{ key: 'name', label: 'Budget', get: b => b.name, css: 'name', show: b => html`${b.name}<small>${(b.policies || []).length > 1 ? b.policies.length + ' policies' : ''}</small>` },
	{ key: 'level', label: 'Left', get: b => b.level / b.max, css: 'level', show: b => html`<${Bar} of=${b.level / b.max} tone=${tone(b)} label=${pct(b.level / b.max) + ' left'} /><small>${num(b.level)} of ${num(b.max)}</small>` },
	{ key: 'refill', label: 'Refill', num: true, get: b => b.refill, show: b => rate(b.refill) },
	{ key: 'denied', label: 'Denied', num: true, css: 'two', get: b => b.denied_rate, show: b => html`<${Behind} filter=${'reason:budget'}><span class=${b.denied_rate > 0 ? 'warn' : ''}>${rate(b.denied_rate)}</span><//><small>${num(b.denied)} in all</small>` },
	{ key: 'empty', label: 'Empty in', num: true, get: b => -(b.empty ?? 1e12), show: b => (b.level < 1 ? html`<span class="bad">empty</span>` : b.empty == null ? html`<span class="dim">holds</span>` : dur(b.empty)) },
];

export default function Budgets({ full }) {
	const all = list('budgets'), rows = all.filter(b => match(terms.value, {}, [b.name, ...(b.policies || [])])).sort((a, b) => a.level / a.max - b.level / b.max);
	return html`<${Panel} id="budgets" title="Budgets" wide=${full ? 'w12' : 'w6'} sub="lowest first">
		<${Table} id="budgets" label="Budgets" cols=${cols} rows=${rows} keyOf=${b => b.name} loaded=${loaded('budgets')} height=${full ? 0 : 300}
			empty=${all.length ? html`<${Empty} title="No budget matches the filter">${all.length} are hidden by it.<//>` : html`<${Empty} title="No retry budgets" cmd="Gates: []retry.Gate{&budget.Budget{}}">Without one, retries can multiply load. A policy gets one from its gates:<//>`} /><//>`;
}
