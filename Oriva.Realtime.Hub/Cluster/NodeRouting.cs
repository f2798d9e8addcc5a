using System.Net.Mime;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Primitives;
using Oriva.Realtime.Core;
using Oriva.Realtime.Core.Cluster;
using Oriva.Realtime.Hub.Authentication;
using Oriva.Realtime.Hub.Endpoints;

namespace Oriva.Realtime.Hub.Cluster;

/// <summary>
/// Lets a balancer send each request of a hub connection to any node. A connection lives on the node that negotiated it, whose id its token begins with:
/// <list type="number">
/// <item>a request that names this node loses the prefix, and goes on;</item>
/// <item>a WebSocket that names another loses the id altogether, and is a connection of this node: SignalR needs no negotiation for it;</item>
/// <item>any other request is passed on to the node that it names, which never passes it on again;</item>
/// <item>if there is no such node, it is answered as SignalR answers for a connection that it does not have, and the client reconnects.</item>
/// </list>
/// New connections pass <see cref="Admission"/>; those that were negotiated here have passed it.
/// </summary>
internal sealed class NodeRouting(RequestDelegate next, NodeIdentity self, NodeRegistry nodes, PeerForwarder peers, Admission admission)
{
    private const string IdName = "id";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    public Task InvokeAsync(HttpContext http)
    {
        var request = http.Request;
        // Of the hub, and so behind its authorization; nothing else is counted or passed on.
        if (http.GetEndpoint()?.Metadata.GetMetadata<HubMetadata>() is null)
            return next(http);
        var isPassedOn = false;
        if (PeerForwarder.ClaimsToBePassedOn(request) && !(isPassedOn = peers.TryReceive(http)))
            return AuthenticationFaults.ToProblem(new Fault(AuthenticationFaults.ForbiddenCode, "Only nodes of the cluster pass requests on.")).ExecuteAsync(http);
        if (http.GetEndpoint()?.Metadata.GetMetadata<NegotiateMetadata>() is not null)
            return admission.Refuse() is { } refused ? refused.ToResult().ExecuteAsync(http) : Negotiation.AnswerAsync(http, next, self.Id);

        var id = request.Query[IdName].ToString();
        if (id.Length == 0)
            return AdmitAsync(http);
        if (NodeToken.Read(id) is not { } named)
            return next(http);
        if (named.Node == self.Id)
        {
            SetId(request, named.Token);
            return next(http);
        }

        if (IsWebSocket(http))
        {
            SetId(request, null);
            return AdmitAsync(http);
        }

        return isPassedOn ? AnswerUnknownAsync(http) : PassOnAsync(http, named.Node);
    }

    /// <summary>Only a GET (or HTTP/2's CONNECT) without an id begins a connection; SignalR refuses all else.</summary>
    private Task AdmitAsync(HttpContext http) =>
        (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsConnect(http.Request.Method)) && admission.Refuse() is { } refused
            ? refused.ToResult().ExecuteAsync(http)
            : next(http);

    private async Task PassOnAsync(HttpContext http, string node)
    {
        var url = UrlOf(node);
        if (url is null)
        {
            // It may have come a moment ago, and its client be faster than its heartbeat.
            await nodes.BeatNowAsync().WaitAsync(s_patience, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            url = UrlOf(node);
        }

        if (url is null || !await peers.TryPassOnAsync(http, url))
            await AnswerUnknownAsync(http);
    }

    /// <summary>Also of a node that was given up: it may have been held up only, and whether it is there is seen at once.</summary>
    private string? UrlOf(string node) => nodes.Find(node) is { StoppedAt: null, AdvertisedUrl: { } url } ? url : null;

    /// <summary>As SignalR has it.</summary>
    private static Task AnswerUnknownAsync(HttpContext http)
    {
        http.Response.StatusCode = StatusCodes.Status404NotFound;
        http.Response.ContentType = MediaTypeNames.Text.Plain;
        return http.Response.WriteAsync("No Connection with that ID", http.RequestAborted);
    }

    private static bool IsWebSocket(HttpContext http) =>
        http.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true, Protocol: "websocket" }
        || (http.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } && http.Request.Headers.Upgrade.ToString().Equals("websocket", StringComparison.OrdinalIgnoreCase));

    private static void SetId(HttpRequest request, string? id)
    {
        var others = request.Query.Where(parameter => !parameter.Key.Equals(IdName, StringComparison.OrdinalIgnoreCase));
        request.QueryString = QueryString.Create(id is null ? others : others.Append(new KeyValuePair<string, StringValues>(IdName, id)));
    }
}
