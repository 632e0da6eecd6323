import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.fhirpath.IFhirPath;
import ca.uhn.fhir.fhirpath.IFhirPathEvaluationContext;
import ca.uhn.fhir.parser.IParser;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hl7.fhir.instance.model.api.IBase;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.instance.model.api.IPrimitiveType;

/**
 * Lines of a resource as JSON in base64 and FHIRPath expressions, all separated by TABs; one line for each,
 * in the same order: a JSON list with the values of each expression, [type, value] each (null for one that
 * the engine does not know), or "! " and why not.
 * Of an expression "a ; b ; c" the values of b and of c in each that a gives; "a | b" is both, one after the
 * other (the engine's own union compares, for which it needs a service of units). HL7's own parser and engine.
 */
public final class Evaluate {

    private static final FhirContext CONTEXT = FhirContext.forR4();
    private static final String OUTER = "%resource.";
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ThreadLocal<IFhirPath> ENGINE = ThreadLocal.withInitial(Evaluate::engine);
    private static final ThreadLocal<Map<String, IFhirPath.IParsedExpression>> PARSED =
            ThreadLocal.withInitial(ConcurrentHashMap::new);

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (in) {
            List<String> page;
            while (!(page = in.lines().limit(1000).toList()).isEmpty()) {
                page.parallelStream().map(Evaluate::evaluated).toList().forEach(out::println);
            }
        }
        out.flush();
    }

    /** `resolve() is Patient` asks no server: a reference says by its text which type it leads to. */
    private static IFhirPath engine() {
        var engine = CONTEXT.newFhirPath();
        engine.setEvaluationContext(new IFhirPathEvaluationContext() {
            @Override
            public IBase resolveReference(IIdType id, IBase context) {
                var known = id.hasResourceType() && CONTEXT.getResourceTypes().contains(id.getResourceType());
                return known ? CONTEXT.getResourceDefinition(id.getResourceType()).newInstance() : null;
            }
        });
        return engine;
    }

    private static String evaluated(String line) {
        var parts = line.split("\t");
        try {
            var text = new String(Base64.getDecoder().decode(parts[0]), StandardCharsets.UTF_8);
            var resource = CONTEXT.newJsonParser().parseResource(text);
            return Arrays.stream(parts).skip(1).map(path -> orNull(resource, path)).collect(listed());
        } catch (RuntimeException | StackOverflowError problem) {
            return "! " + String.valueOf(problem.getMessage()).replace('\n', ' ');
        }
    }

    private static String orNull(IBase resource, String path) {
        try {
            return values(resource, resource, path);
        } catch (RuntimeException problem) {
            return "null";
        }
    }

    private static String values(IBase resource, IBase base, String path) {
        var steps = path.split(" ; ");
        var of = steps[0].startsWith(OUTER) ? resource : base;
        var first = steps[0].startsWith(OUTER) ? steps[0].substring(OUTER.length()) : steps[0];
        var found = Arrays.stream(first.split(" \\| ")).flatMap(one -> evaluate(of, one));
        if (steps.length == 1) {
            return found.map(Evaluate::written).collect(listed());
        }
        return found.map(one -> Arrays.stream(steps).skip(1)
                .map(step -> values(resource, one, step)).collect(listed())).collect(listed());
    }

    private static Stream<IBase> evaluate(IBase base, String path) {
        var expression = PARSED.get().computeIfAbsent(path, Evaluate::parsed);
        return ENGINE.get().evaluate(base, expression, IBase.class).stream();
    }

    private static IFhirPath.IParsedExpression parsed(String path) {
        try {
            return ENGINE.get().parse(path);
        } catch (Exception problem) {
            throw new IllegalArgumentException(path, problem);
        }
    }

    private static String written(IBase value) {
        try {
            var text = value instanceof IPrimitiveType<?> one
                    ? JSON.writeValueAsString(one.getValueAsString())
                    : parser().encodeToString(value);
            return "[" + JSON.writeValueAsString(value.fhirType()) + "," + text + "]";
        } catch (java.io.IOException problem) {
            throw new java.io.UncheckedIOException(problem);
        }
    }

    private static IParser parser() {
        return CONTEXT.newJsonParser();
    }

    private static java.util.stream.Collector<CharSequence, ?, String> listed() {
        return Collectors.joining(",", "[", "]");
    }
}
