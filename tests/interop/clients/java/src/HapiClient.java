import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.SearchStyleEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import com.fasterxml.jackson.databind.JsonNode;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hl7.fhir.instance.model.api.IBaseResource;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Resource;

/** HAPI FHIR's generic client. Arguments: the endpoint's base, and json or xml. */
public final class HapiClient {

    private static final FhirContext R4 = FhirContext.forR4();

    private final String base;
    private final EncodingEnum encoding;
    private IGenericClient client;

    private HapiClient(String base, EncodingEnum encoding) {
        this.base = base;
        this.encoding = encoding;
    }

    public static void main(String[] arguments) throws Exception {
        var encoding = arguments[1].equals("xml") ? EncodingEnum.XML : EncodingEnum.JSON;
        Wire.run(new HapiClient(arguments[0], encoding).steps());
    }

    private Map<String, Wire.Step> steps() {
        Map<String, Wire.Step> steps = new HashMap<>();
        steps.put("connect", asked -> connect(asked.get("token")));
        steps.put("metadata", asked -> tree(client.capabilities().ofType(CapabilityStatement.class).execute()));
        steps.put("create", asked -> saved(client.create().resource(resource(asked)).execute()));
        steps.put("create_if_none", asked -> saved(
                client.create().resource(resource(asked)).conditionalByUrl(criteriaUrl(asked)).execute()));
        steps.put("read", asked -> tree(client.read().resource(text(asked, "type")).withId(text(asked, "id")).execute()));
        steps.put("vread", asked -> tree(client.read().resource(text(asked, "type"))
                .withIdAndVersion(text(asked, "id"), text(asked, "version")).execute()));
        steps.put("unchanged", this::unchanged);
        steps.put("update", asked -> saved(client.update().resource(unversioned(asked)).execute()));
        steps.put("update_version", this::updateVersion);
        steps.put("update_if", asked -> saved(
                client.update().resource(resource(asked)).conditionalByUrl(criteriaUrl(asked)).execute()));
        steps.put("patch", asked -> saved(client.patch().withBody(asked.get("operations").toString())
                .withId(new IdType(text(asked, "type"), text(asked, "id"))).execute()));
        steps.put("delete", asked -> saved(
                client.delete().resourceById(text(asked, "type"), text(asked, "id")).execute()));
        steps.put("search", asked -> trees(search(asked, SearchStyleEnum.GET)));
        steps.put("search_by_post", asked -> trees(search(asked, SearchStyleEnum.POST)));
        steps.put("search_with", asked -> trees(search(asked, SearchStyleEnum.GET)));
        steps.put("history", asked -> tree(client.history()
                .onInstance(new IdType(text(asked, "type"), text(asked, "id"))).returnBundle(Bundle.class).execute()));
        steps.put("bundle", asked -> tree(client.transaction()
                .withBundle(R4.newJsonParser().parseResource(Bundle.class, asked.get("bundle").toString())).execute()));
        steps.put("validate", this::validate);
        steps.replaceAll((name, step) -> asked -> refusals(step, asked));
        return steps;
    }

    private Object connect(JsonNode token) {
        client = R4.newRestfulGenericClient(base); // asks for metadata before its first request
        client.setEncoding(encoding);
        if (!token.isNull()) client.registerInterceptor(new BearerTokenAuthInterceptor(token.asText()));
        return null;
    }

    private static Object refusals(Wire.Step step, JsonNode asked) throws Exception {
        try {
            return step.take(asked);
        } catch (BaseServerResponseException error) {
            var outcome = error.getOperationOutcome();
            throw new Wire.Refused(
                    error.getStatusCode(), outcome == null ? null : R4.newJsonParser().encodeResourceToString(outcome));
        }
    }

    private Object unchanged(JsonNode asked) {
        var held = (Resource) resource(asked);
        var id = new IdType(held.fhirType(), held.getIdElement().getIdPart());
        var found = client.read().resource(held.fhirType()).withId(id)
                .ifVersionMatches(held.getMeta().getVersionId()).returnNull().execute();
        return found == null; // 304
    }

    private Object updateVersion(JsonNode asked) throws Exception {
        var changed = (Resource) resource(asked);
        var id = new IdType(changed.fhirType(), changed.getIdElement().getIdPart(), text(asked, "version"));
        changed.setId(id); // its version becomes If-Match
        return saved(client.update().resource(changed).execute());
    }

    private Object validate(JsonNode asked) {
        var said = (OperationOutcome) client.validate().resource(resource(asked)).execute().getOperationOutcome();
        return said.getIssue().stream().noneMatch(issue -> issue.getSeverity().ordinal() <= 1); // fatal, error
    }

    private List<IBaseResource> search(JsonNode asked, SearchStyleEnum style) {
        List<IBaseResource> found = new ArrayList<>();
        var url = text(asked, "type") + "?" + query(asked.get("params"));
        Bundle page = client.search().byUrl(url).usingStyle(style).returnBundle(Bundle.class).execute();
        while (page != null) {
            page.getEntry().forEach(entry -> found.add(entry.getResource()));
            page = page.getLink(Bundle.LINK_NEXT) == null ? null : client.loadPage().next(page).execute();
        }
        return found;
    }

    private Object saved(MethodOutcome outcome) throws Exception {
        if (outcome.getResource() != null) return tree(outcome.getResource());
        return Map.of("id", outcome.getId() == null ? "" : outcome.getId().getIdPart());
    }

    private static IBaseResource resource(JsonNode asked) {
        return R4.newJsonParser().parseResource(asked.get("resource").toString());
    }

    /** With a version in its meta, HAPI's client would say If-Match. */
    private static IBaseResource unversioned(JsonNode asked) {
        var resource = (Resource) resource(asked);
        resource.setId(resource.getIdElement().toUnqualifiedVersionless());
        return resource;
    }

    private static String criteriaUrl(JsonNode asked) {
        return asked.get("resource").get("resourceType").asText() + "?" + query(asked.get("criteria"));
    }

    private static String query(JsonNode params) {
        List<String> pairs = new ArrayList<>();
        params.fields().forEachRemaining(one ->
                pairs.add(one.getKey() + "=" + URLEncoder.encode(one.getValue().asText(), StandardCharsets.UTF_8)));
        return String.join("&", pairs);
    }

    private static String text(JsonNode asked, String name) {
        return asked.get(name).asText();
    }

    private static JsonNode tree(IBaseResource resource) throws Exception {
        return Wire.JSON.readTree(R4.newJsonParser().encodeResourceToString(resource));
    }

    private static List<JsonNode> trees(List<IBaseResource> resources) throws Exception {
        List<JsonNode> found = new ArrayList<>();
        for (var resource : resources) found.add(tree(resource));
        return found;
    }
}
