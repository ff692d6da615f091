import { html, Panel, Empty, Loading, Bar, Behind, loaded, State } from '../ui.js';
import { list, now } from '../state.js';
import { num, ago, ahead, sum, pct } from '../format.js';

const Fact = ({ name, children, tone }) => html`<div><dt>${name}</dt><dd class=${tone || ''}>${children}</dd></div>`;

export default function Trading({ full }) {
	const all = list('venues');
	return html`<${Panel} id="trading" title="Trading" wide=${full ? 'w12' : 'w6'} sub=${all.length ? all.length + (all.length > 1 ? ' venues' : ' venue') : ''}>
		${!loaded('venues') ? html`<${Loading} />` : !all.length ? html`<${Empty} title="No venues" cmd="relent demo">Orders and streams appear when an exchange is connected. To see one misbehave, run<//>` :
		all.map(v => html`<article class="venue" key=${v.name}><h3>${v.name}${v.banned_until && Date.parse(v.banned_until) > now.value ? html` <${State} is="isolated" word=${'banned for ' + ahead(v.banned_until, now.value)} />` : ''}</h3><dl class="facts">
			<${Fact} name="Unknown orders" tone=${v.unknown ? 'bad' : ''}><${Behind} filter="kind:order">${num(v.unknown)}<//><small>${v.unknown ? 'oldest ' + ago(v.oldest_unknown, now.value) + ', reconciling' : 'all reconciled'}</small><//>
			<${Fact} name="Parked" tone=${v.parked ? 'warn' : ''}>${num(v.parked)}<small>${v.parked ? 'need a person' : 'none need a person'}</small><//>
			<${Fact} name="Resends blocked">${num(v.guard_trips)}<small>by the duplicate guard</small><//>
			<${Fact} name="Reconnects"><${Behind} filter="kind:stream">${num(sum(v.reconnects))}<//><small>${Object.entries(v.reconnects || {}).filter(e => e[1]).map(([k, n]) => n + ' ' + k).join(', ') || 'none'}</small><//></dl>
			${Object.entries(v.headroom || {}).map(([k, x]) => html`<p class="limit"><span>${k}</span><${Bar} of=${x} tone=${x < 0.1 ? 'bad' : x < 0.3 ? 'warn' : ''} label=${pct(x) + ' of the limit left'} /><small>${pct(x)} left</small></p>`)}</article>`)}<//>`;
}
