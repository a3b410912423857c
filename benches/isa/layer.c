/* A Vulkan layer that prints on standard error what the driver made of each compute pipeline, between the lines
 * `#pipeline` and `#end` (VK_KHR_pipeline_executable_properties): `#executable NAME | SUBGROUP SIZE`, `#stat NAME |
 * VALUE` for its statistics, and after `#text NAME` the last of its texts, which is the assembly. For programs of one
 * instance and one device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

static PFN_vkGetInstanceProcAddr next_instance_proc;
static PFN_vkGetDeviceProcAddr next_device_proc;
static VkInstance instance;
static int has_properties; /* whether the driver has the extension */

#define NEXT_INSTANCE(of, name) ((PFN_##name)next_instance_proc(of, #name))
#define NEXT_DEVICE(of, name) ((PFN_##name)next_device_proc(of, #name))

/* What the loader hands to each layer is an entry of a chain. VkLayerDeviceCreateInfo begins like this type. */
static VkLayerInstanceCreateInfo *loader_entry(const void *chain, VkStructureType type) {
    VkLayerInstanceCreateInfo *entry = (void *)chain;
    while (entry && !(entry->sType == type && entry->function == VK_LAYER_LINK_INFO)) entry = (void *)entry->pNext;
    return entry;
}

static VkResult create_instance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *allocator,
                                VkInstance *out) {
    VkLayerInstanceCreateInfo *entry = loader_entry(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    next_instance_proc = entry->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    entry->u.pLayerInfo = entry->u.pLayerInfo->pNext;
    VkResult result = NEXT_INSTANCE(NULL, vkCreateInstance)(info, allocator, out);
    if (result == VK_SUCCESS) instance = *out;
    return result;
}

static int offers_properties(VkPhysicalDevice physical) {
    PFN_vkEnumerateDeviceExtensionProperties enumerate =
        NEXT_INSTANCE(instance, vkEnumerateDeviceExtensionProperties);
    uint32_t count = 0;
    int found = 0;
    enumerate(physical, NULL, &count, NULL);
    VkExtensionProperties *offered = calloc(count + 1, sizeof *offered);
    enumerate(physical, NULL, &count, offered);
    for (uint32_t i = 0; i < count; i++)
        found |= !strcmp(offered[i].extensionName, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
    free(offered);
    return found;
}

/* Adds the extension to those that the program enables. */
static VkResult create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                              const VkAllocationCallbacks *allocator, VkDevice *out) {
    VkLayerDeviceCreateInfo *entry = (void *)loader_entry(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    next_instance_proc = entry->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next_device_proc = entry->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    entry->u.pLayerInfo = entry->u.pLayerInfo->pNext;
    PFN_vkCreateDevice next = NEXT_INSTANCE(instance, vkCreateDevice);
    has_properties = offers_properties(physical);
    if (!has_properties) {
        fprintf(stderr, "#! the driver lacks " VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME "\n");
        return next(physical, info, allocator, out);
    }
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pNext = (void *)info->pNext,
        .pipelineExecutableInfo = VK_TRUE,
    };
    uint32_t count = info->enabledExtensionCount;
    const char **names = calloc(count + 1, sizeof *names);
    for (uint32_t i = 0; i < count; i++) names[i] = info->ppEnabledExtensionNames[i];
    names[count] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    VkDeviceCreateInfo wider = *info;
    wider.pNext = &features;
    wider.enabledExtensionCount = count + 1;
    wider.ppEnabledExtensionNames = names;
    VkResult result = next(physical, &wider, allocator, out);
    free(names);
    return result;
}

static void print_statistics(VkDevice device, const VkPipelineExecutableInfoKHR *executable) {
    PFN_vkGetPipelineExecutableStatisticsKHR statistics =
        NEXT_DEVICE(device, vkGetPipelineExecutableStatisticsKHR);
    uint32_t count = 0;
    statistics(device, executable, &count, NULL);
    VkPipelineExecutableStatisticKHR *all = calloc(count + 1, sizeof *all);
    for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    statistics(device, executable, &count, all);
    for (uint32_t i = 0; i < count; i++) {
        double value = all[i].value.f64;
        switch (all[i].format) {
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: value = all[i].value.b32; break;
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: value = all[i].value.i64; break;
        case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: value = all[i].value.u64; break;
        default: break;
        }
        fprintf(stderr, "#stat %s | %.15g\n", all[i].name, value);
    }
    free(all);
}

static void print_assembly(VkDevice device, const VkPipelineExecutableInfoKHR *executable) {
    PFN_vkGetPipelineExecutableInternalRepresentationsKHR texts =
        NEXT_DEVICE(device, vkGetPipelineExecutableInternalRepresentationsKHR);
    uint32_t count = 0;
    texts(device, executable, &count, NULL);
    VkPipelineExecutableInternalRepresentationKHR *all = calloc(count + 1, sizeof *all);
    for (uint32_t i = 0; i < count; i++)
        all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    texts(device, executable, &count, all); /* their sizes */
    for (uint32_t i = 0; i < count; i++) all[i].pData = calloc(1, all[i].dataSize + 1);
    texts(device, executable, &count, all);
    if (count && all[count - 1].isText)
        fprintf(stderr, "#text %s\n%s\n", all[count - 1].name, (char *)all[count - 1].pData);
    for (uint32_t i = 0; i < count; i++) free(all[i].pData);
    free(all);
}

static void print_pipeline(VkDevice device, VkPipeline pipeline) {
    PFN_vkGetPipelineExecutablePropertiesKHR properties =
        NEXT_DEVICE(device, vkGetPipelineExecutablePropertiesKHR);
    VkPipelineInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
    uint32_t count = 0;
    properties(device, &info, &count, NULL);
    VkPipelineExecutablePropertiesKHR *all = calloc(count + 1, sizeof *all);
    for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR;
    properties(device, &info, &count, all);
    fprintf(stderr, "#pipeline\n");
    for (uint32_t i = 0; i < count; i++) {
        VkPipelineExecutableInfoKHR executable = {
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline, .executableIndex = i};
        fprintf(stderr, "#executable %s | %u\n", all[i].name, all[i].subgroupSize);
        print_statistics(device, &executable);
        print_assembly(device, &executable);
    }
    fprintf(stderr, "#end\n");
    free(all);
}

static VkResult create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                 const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *allocator,
                                 VkPipeline *out) {
    VkComputePipelineCreateInfo *own = calloc(count, sizeof *own);
    memcpy(own, infos, count * sizeof *own);
    for (uint32_t i = 0; i < count && has_properties; i++)
        own[i].flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                        VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    VkResult result = NEXT_DEVICE(device, vkCreateComputePipelines)(device, cache, count, own, allocator, out);
    free(own);
    for (uint32_t i = 0; i < count && has_properties && result == VK_SUCCESS; i++) print_pipeline(device, out[i]);
    return result;
}

static PFN_vkVoidFunction device_proc(VkDevice device, const char *name) {
    if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)device_proc;
    if (!strcmp(name, "vkCreateComputePipelines")) return (PFN_vkVoidFunction)create_pipelines;
    return next_device_proc(device, name);
}

static PFN_vkVoidFunction instance_proc(VkInstance of, const char *name) {
    if (!strcmp(name, "vkGetInstanceProcAddr")) return (PFN_vkVoidFunction)instance_proc;
    if (!strcmp(name, "vkGetDeviceProcAddr")) return (PFN_vkVoidFunction)device_proc;
    if (!strcmp(name, "vkCreateInstance")) return (PFN_vkVoidFunction)create_instance;
    if (!strcmp(name, "vkCreateDevice")) return (PFN_vkVoidFunction)create_device;
    if (!strcmp(name, "vkCreateComputePipelines")) return (PFN_vkVoidFunction)create_pipelines;
    return next_instance_proc ? next_instance_proc(of, name) : NULL;
}

__attribute__((visibility("default"))) VkResult
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = instance_proc;
    interface->pfnGetDeviceProcAddr = device_proc;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
