import { html, Panel, Empty, Loading, Bar, Behind, loaded } from '../ui.js';
import { topics, view } from '../state.js';
import { num, words, sum } from '../format.js';

const why = {
	budget: 'the budget was spent', breaker: 'the circuit was open', deadline: 'no time was left', not_retryable: 'it would fail again', stopped: 'an operator stopped it',
	unknown_outcome: 'it may have worked', limit: 'a limit was reached', validate: 'the state had changed', nested: 'an outer call retries',
};

export default function Reasons() {
	const one = view.value.policy && topics.policies.value?.[view.value.policy];
	const by = (one || topics.overview.value?.totals || {}).suppressed || {}, all = sum(by);
	return html`<${Panel} id="reasons" title="Why no retry" wide="w4" sub=${(one ? one.name + ', ' : '') + 'last minute'}>
		${!loaded('overview') ? html`<${Loading} />` : !all ? html`<${Empty} title="Every failure was retried">Or nothing failed in the last minute.<//>` :
		html`<ul class="bars">${Object.entries(by).sort((a, b) => b[1] - a[1]).map(([r, n]) => html`<li key=${r}><${Behind} filter=${(one ? 'policy:' + one.name + ' ' : '') + 'reason:' + r}>${words(r)}<//><small>${why[r]}</small><b>${num(n)}</b><${Bar} of=${n / all} label=${Math.round(n / all * 100) + ' %'} /></li>`)}</ul>`}<//>`;
}
