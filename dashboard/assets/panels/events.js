import { html, Panel, Table, Empty, Button, Behind, loaded } from '../ui.js';
import { tail, fresh, paused, terms, me, go, list } from '../state.js';
import { matchNote } from '../filter.js';
import { clock, words, num, dur } from '../format.js';

const tones = { failed: 'bad', refused: 'warn', unknown: 'bad', recovered: 'ok', stop: 'bad', circuit: 'warn' };
const cols = [
	{ key: 'at', label: 'Time', css: 'mono dim', show: n => clock(n.at, true) },
	{ key: 'kind', label: 'Event', show: n => html`<span class=${'kind ' + (tones[n.kind] || '')}>${n.kind}</span>` },
	{ key: 'policy', label: 'Policy', css: 'name', show: n => html`${n.policy || ''}${n.target ? html`<small>${n.target}</small>` : ''}` },
	{ key: 'what', label: 'What', css: 'what', show: n => [n.attempt && 'attempt ' + n.attempt, n.class, words(n.outcome || n.reason), n.wait && 'waits ' + dur(n.wait / 1e9), n.elapsed && 'after ' + dur(n.elapsed / 1e9)].filter(Boolean).join(' · ') },
	{ key: 'text', label: 'Text', css: 'text', show: n => html`<span title=${n.text}>${n.text || ''}</span>` },
	{ key: 'instance', label: 'Instance', css: 'name', show: n => n.instance && html`<${Behind} filter=${'instance:' + n.instance}>${n.instance}<//>` },
	{ key: 'trace', label: 'Trace', css: 'mono', show: n => (n.trace ? html`<button type="button" class="plain" title=${n.trace} onClick=${() => go({ panel: 'events', filter: 'trace:' + n.trace })}>${n.trace.slice(0, 8)}</button>` : '') },
];

export default function Events({ full }) {
	const { items, dropped } = tail.value, rows = items.filter(n => matchNote(terms.value, n));
	const tools = html`${paused.value && fresh.value > 0 && html`<button type="button" class="pill" id="new" onClick=${() => go({ paused: '' }, true)}>${num(fresh.value)} new</button>`}
		${dropped > 0 && html`<small class="chip warn" id="dropped" title="more came than a browser can show">${num(dropped)} dropped</small>`}
		<${Button} kind="quiet" icon=${paused.value ? 'play' : 'pause'} label=${paused.value ? 'Go on' : 'Pause'} onClick=${() => go({ paused: paused.value ? '' : '1' }, true)} />`;
	return html`<${Panel} id="events" title="Live tail" wide=${full ? 'w12' : 'w6'} sub=${rows.length < items.length ? rows.length + ' of ' + items.length : 'newest first'} tools=${tools}>
		<${Table} id="events" label="Events" cols=${full ? cols.filter(c => c.key !== 'instance' || list('instances').length) : cols.slice(0, 4)} rows=${rows} keyOf=${n => n.seq} loaded=${loaded('overview')} height=${full ? 640 : 300}
			empty=${!me.value.events ? html`<${Empty} title="No events are connected">The source of this dashboard has no Subscribe method, so it tells no single events. The control registry has one.<//>` :
				items.length ? html`<${Empty} title="No event matches the filter">${items.length} are hidden by it. Filters look like <code>policy:binance.* -kind:retrying</code><//>` : html`<${Empty} title="Quiet" cmd="relent demo">Calls that succeed at once make no events. To see others, run<//>`} /><//>`;
}
